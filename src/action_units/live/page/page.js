// The page: a picture, a video or a webcam; one thing at a time.

import { drawBars, drawFaces, drawTimeline, faceColour, makeBars, timelineLeft } from "./drawing.js";
import * as server from "./server.js";
import { Work } from "./work.js";

const WINDOW = 30; // seconds of a webcam that the timeline shows
const LONGEST = 640; // of a webcam's frame as it is sent, in pixels
const MOST_FACES = 8; // to choose from; further ones have boxes alone

const at = id => document.getElementById(id);
const [stage, picture, video, overlay] = ["stage", "picture", "video", "overlay"].map(at);
const [bars, faces, progress, status, plot, cursor] =
  ["bars", "faces", "progress", "status", "plot", "cursor"].map(at);

let aus = [];
let most = Infinity; // of a file, in 10⁶ bytes
let work = null; // what is shown; a new one for each picture, video or webcam

function say(text) {
  status.textContent = text;
}

function complain(error) {
  at("error").textContent = error ? error.message : "";
  at("error").hidden = !error;
}

function begin(kind) {
  work?.stop();
  if (work?.address) URL.revokeObjectURL(work.address);
  work = new Work(kind, video);
  complain(null);
  say("");
  stage.classList.toggle("empty", !kind);
  at("hint").hidden = Boolean(kind);
  at("unplayable").hidden = true;
  picture.hidden = kind !== "picture";
  video.hidden = kind !== "video" && kind !== "webcam";
  video.srcObject = null;
  video.removeAttribute("src");
  picture.removeAttribute("src");
  at("stop").hidden = !kind;
  at("table").hidden = true;
  progress.hidden = true;
  at("timeline").hidden = true;
  at("player").hidden = true;
  faces.hidden = true;
  faces.replaceChildren();
  show([]);
  return work;
}

// What is known of a moment: boxes, bars, and whom one may choose.
function show(found) {
  work.now = found;
  const ids = new Set([...work.tracks.keys(), ...found.map(face => face.id)]);
  const recent = [...ids].sort((a, b) => a - b).slice(-MOST_FACES);
  const present = new Set(found.map(face => face.id));
  if (!recent.includes(work.chosen) || (work.kind === "webcam" && !present.has(work.chosen))) {
    work.chosen = found[0]?.id ?? work.chosen ?? recent[0] ?? null;
  }
  faces.hidden = recent.length < 2;
  if (recent.join() !== faces.dataset.ids) {
    faces.dataset.ids = recent.join();
    faces.replaceChildren(...recent.map(faceButton));
  }
  for (const input of faces.querySelectorAll("input")) {
    input.checked = Number(input.value) === work.chosen;
    input.parentElement.classList.toggle("away", !present.has(Number(input.value)));
  }
  drawBars(bars, found.find(face => face.id === work.chosen));
  drawOverlay();
}

function faceButton(id) {
  const label = document.createElement("label");
  const input = Object.assign(document.createElement("input"),
    { type: "radio", name: "face", value: id });
  input.addEventListener("change", () => {
    work.chosen = id;
    show(work.now);
    drawTimes();
  });
  const dot = document.createElement("i");
  dot.style.setProperty("--face", faceColour(id));
  label.append(input, dot, `face ${id}`);
  return label;
}

function drawOverlay() {
  const shown = work.kind === "picture" ? picture : video;
  const size = work.kind && !shown.hidden ? work.size : {};
  drawFaces(overlay, shown, size, work.now, aus);
}

function drawTimes() {
  if (work.kind !== "video" && work.kind !== "webcam") return;
  const track = work.tracks.get(work.chosen) ?? { points: [] };
  at("timeline").hidden = work.tracks.size === 0;
  const from = work.kind === "webcam" ? Math.max(0, work.end - WINDOW) : 0;
  const to = work.kind === "webcam" ? Math.max(work.end, WINDOW) : Math.max(work.end, work.step);
  work.span = [from, to];
  const prefix = work.chosen === null ? "" : `Face ${work.chosen}. `;
  at("timeline-note").textContent =
    `${prefix}Line: probability, 0 to 1; shaded: present.` +
    (work.kind === "webcam" ? ` The last ${WINDOW} seconds.` : " Press to go there.");
  plot.setAttribute("aria-label", `${prefix}Probability of each action unit over time.`);
  drawTimeline(plot, track, aus, from, to, work.times.length && !work.timed ? "frame" : "s");
  moveCursor();
}

function moveCursor() {
  const seeks = work.kind === "video" && work.playable !== null;
  at("player").hidden = !seeks;
  cursor.hidden = !seeks || !work.span;
  if (!seeks) return;
  const known = work.playable && Number.isFinite(video.duration);
  const length = known ? video.duration : work.end;
  const unit = work.times.length && !work.timed && !work.playable ? "frames" : "s";
  at("play").hidden = !work.playable;
  at("play").textContent = video.paused ? "Play" : "Pause";
  at("seek").max = length;
  at("seek").value = work.moment;
  at("time").textContent = `${work.moment.toFixed(1)} of ${length.toFixed(1)} ${unit}`;
  at("seek").setAttribute("aria-valuetext", at("time").textContent);
  if (!work.span) return;
  const width = plot.parentElement.getBoundingClientRect().width;
  const left = timelineLeft(width);
  const part = Math.min(1, work.moment / work.span[1]);
  cursor.style.transform = `translateX(${left + part * (width - left) - 1}px)`;
}

function goTo(moment) {
  work.place = Math.max(0, Math.min(moment, work.end));
  if (work.playable) video.currentTime = work.place;
  else showMoment();
}

function plural(count, word) {
  return `${count.toLocaleString("en")} ${word}${count === 1 ? "" : "s"}`;
}

async function predictFile(file) {
  // The server would refuse it too, but in the middle of the upload, which browsers may
  // take for a lost connection.
  if (file.size > most * 1e6) {
    begin(null);
    return complain(new Error(`The file is larger than ${most} MB, the limit of this ` +
      "page; action-units predict takes files of any size."));
  }
  const isVideo = file.type.startsWith("video/") || /\.(avi|mkv|mov|mp4|webm|wmv)$/i.test(file.name);
  const mine = begin(isVideo ? "video" : "picture");
  mine.name = file.name;
  mine.address = URL.createObjectURL(file);
  const shown = isVideo ? video : picture;
  shown.src = mine.address;
  progress.hidden = false;
  progress.removeAttribute("value");
  say(`Processing ${file.name} …`);
  let count = 0;
  try {
    for await (const message of server.predict(file, mine.stopped.signal)) {
      if (mine !== work) return;
      if (message.error) throw new Error(message.error);
      if (message.begin) started(mine, message.begin);
      if (message.csv) mine.csv.push(message.csv);
      if (message.begin) mine.csv.push(message.begin.csv);
      if (message.frames) count += received(mine, message.frames);
      if (message.end) mine.whole = true;
      if (message.frames && mine.kind === "video") {
        const all = mine.total ? ` of ${mine.total.toLocaleString("en")}` : "";
        say(`${count.toLocaleString("en")}${all} frames`);
        if (mine.total) progress.value = Math.min(1, count / mine.total);
      }
    }
    if (!mine.whole) throw new Error("The server stopped in the middle; what is shown is not all.");
    finished(mine, count);
  } catch (error) {
    if (mine !== work) return;
    if (error.name === "AbortError") {
      say("Stopped.");
    } else {
      begin(null);
      complain(error);
    }
  }
  progress.hidden = true;
  at("stop").hidden = true;
}

function started(mine, message) {
  mine.size = { width: message.width, height: message.height };
  mine.total = message.frames ?? null;
  mine.step = message.rate ? 1 / message.rate : 1;
  mine.leftOut = message.left_out ? ` (${message.left_out})` : "";
}

function received(mine, frames) {
  for (const { frame, seconds, faces: found } of frames) {
    const time = seconds ?? frame - 1;
    mine.timed = seconds !== null;
    mine.frames.set(frame, found);
    mine.times.push(time);
    mine.end = Math.max(mine.end, time + mine.step);
    mine.keep(time, found);
  }
  if (mine.kind === "picture") show(frames[0].faces);
  else showMoment();
  drawTimes();
  return frames.length;
}

function finished(mine, count) {
  at("table").hidden = false;
  if (mine.kind === "picture") {
    const found = mine.now.length;
    say((found ? plural(found, "face") : "No face was found.") + mine.leftOut);
  } else {
    say(`${plural(count, "frame")}, ${plural(mine.tracks.size, "face")}.`);
  }
}

// The faces of the moment that the video shows.
function showMoment() {
  if (work.kind !== "video") return;
  const frame = work.frameAt(work.moment);
  const known = work.whole || work.moment < work.end;
  show((known && work.frames.get(frame)) || []);
  moveCursor();
}

function follow() {
  if (work.kind === "video") showMoment();
  if (!video.paused && !video.ended) requestAnimationFrame(follow);
}

async function watch() {
  const mine = begin("webcam");
  mine.step = 0.2;
  say("Waiting for the webcam …");
  try {
    if (!navigator.mediaDevices) {
      throw new Error("Browsers give a webcam only to pages of their own computer or by https.");
    }
    mine.stream = await navigator.mediaDevices.getUserMedia({
      video: { width: { ideal: 640 }, height: { ideal: 480 }, facingMode: "user" },
    });
    if (!mine.running) return mine.stop();
    video.srcObject = mine.stream;
    await video.play();
    mine.session = await server.beginWebcam();
    if (!mine.running) return mine.stop(); // it was stopped before the session had a name
    await frameByFrame(mine);
  } catch (error) {
    if (mine !== work || error.name === "AbortError") return;
    begin(null);
    const known = {
      NotAllowedError: "The browser was not allowed to use the webcam; allow it next to the address.",
      NotFoundError: "No webcam was found.",
      NotReadableError: "The webcam is in use by another program.",
    };
    complain(known[error.name] ? new Error(known[error.name]) : error);
  }
}

// One frame is sent after the answer to the one before; so none ever waits.
async function frameByFrame(mine) {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d");
  const from = performance.now();
  let before = from;
  while (mine.running) {
    const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const taken = performance.now();
    const frame = await new Promise(resolve => canvas.toBlob(resolve, "image/jpeg", 0.92));
    const message = await server.predictFrame(mine.session, frame, mine.stopped.signal);
    if (!mine.running) return;
    mine.size = { width: canvas.width, height: canvas.height };
    mine.end = (taken - from) / 1000;
    mine.step = Math.min(1, (taken - before) / 1000 || 0.2);
    before = taken;
    mine.keep(mine.end, message.faces);
    forget(mine);
    show(message.faces);
    drawTimes();
    const milliseconds = Math.round(performance.now() - taken);
    say(`${message.faces.length ? plural(message.faces.length, "face") : "No face"} · ${milliseconds} ms`);
    await new Promise(requestAnimationFrame);
  }
}

// What has left the webcam's timeline is of no use any more.
function forget(mine) {
  for (const [id, { points }] of mine.tracks) {
    while (points.length && points[0].time < mine.end - WINDOW - 1) points.shift();
    if (!points.length) mine.tracks.delete(id);
  }
}

function download() {
  const address = URL.createObjectURL(new Blob(work.csv, { type: "text/csv" }));
  const link = Object.assign(document.createElement("a"),
    { href: address, download: `${work.name.replace(/\.[^.]*$/, "")}.csv` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

function listen() {
  at("file").addEventListener("change", event => {
    if (event.target.files[0]) predictFile(event.target.files[0]);
    event.target.value = "";
  });
  at("camera").addEventListener("click", watch);
  at("table").addEventListener("click", download);
  at("stop").addEventListener("click", () => {
    if (work.kind === "webcam") return begin(null);
    work.stop();
  });
  for (const kind of ["dragenter", "dragover"]) {
    addEventListener(kind, event => { event.preventDefault(); stage.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) {
    addEventListener(kind, event => { event.preventDefault(); stage.classList.remove("over"); });
  }
  addEventListener("drop", event => {
    if (event.dataTransfer.files[0]) predictFile(event.dataTransfer.files[0]);
  });
  video.addEventListener("loadedmetadata", () => {
    if (work.kind !== "video") return;
    work.playable = video.videoWidth > 0;
    showMoment();
  });
  video.addEventListener("error", () => {
    if (work.kind !== "video") return;
    work.playable = false;
    video.hidden = true;
    at("unplayable").hidden = false;
    showMoment();
  });
  for (const kind of ["seeked", "timeupdate", "pause"]) video.addEventListener(kind, showMoment);
  at("play").addEventListener("click", () => (video.paused ? video.play() : video.pause()));
  at("seek").addEventListener("input", () => goTo(Number(at("seek").value)));
  video.addEventListener("play", follow);
  picture.addEventListener("load", drawOverlay);
  plot.addEventListener("click", event => {
    if (work.kind !== "video") return;
    const { left, width } = plot.getBoundingClientRect();
    const part = (event.clientX - left - timelineLeft(width)) / (width - timelineLeft(width));
    goTo(part * work.span[1]);
  });
  new ResizeObserver(() => { drawOverlay(); drawTimes(); }).observe(document.body);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawTimes);
  addEventListener("pagehide", () => work.stop());
}

async function start() {
  begin(null);
  try {
    const message = await server.classifier();
    aus = message.aus;
    most = message.upload_mb;
    at("classifier").textContent = `Classifier: ${message.name}`;
    makeBars(bars, aus);
    begin(null);
    listen();
    if (location.hash === "#webcam") watch();
  } catch (error) {
    complain(error);
  }
}

start();
