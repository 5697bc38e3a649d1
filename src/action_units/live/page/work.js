// What is shown: a picture, a video or a webcam, and what was found in it so far.

import { endWebcam } from "./server.js";

const POINTS = 40000; // of a face's timeline; a video of half an hour has as many

const EARLY = 0.001; // seconds: players round the moment of a frame

export class Work {
  // `kind` is picture, video or webcam; null where nothing is shown.
  constructor(kind, video) {
    this.kind = kind;
    this.video = video;
    this.stopped = new AbortController();
    this.size = { width: 0, height: 0 };
    this.frames = new Map(); // the faces of each frame by its number
    this.times = []; // when each frame of a video is shown, in seconds, or its place if not timed
    this.timed = true;
    this.now = []; // the faces that are shown
    this.tracks = new Map(); // each face's timeline by its number
    this.chosen = null;
    this.csv = [];
    this.address = null;
    this.playable = null; // of a video: whether the browser can
    this.place = 0; // in a video that it cannot play, in seconds or frames
    this.step = 1; // how long a frame is shown, until it is known
    this.latest = []; // the points of the last moment
    this.kept = 0;
    this.end = 0;
  }

  get moment() {
    return this.playable ? this.video.currentTime : this.place;
  }

  get running() {
    return !this.stopped.signal.aborted;
  }

  // The number of the frame that a video shows at a moment.
  frameAt(moment) {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= moment + EARLY) low = middle + 1;
      else high = middle;
    }
    return Math.max(1, low);
  }

  stop() {
    this.stopped.abort();
    if (this.stream) this.stream.getTracks().forEach(track => track.stop());
    if (this.session) endWebcam(this.session);
  }

  // Faces of a moment, which last until the next.
  keep(time, found) {
    if (this.kind === "video" && time > this.kept) {
      for (const point of this.latest) point.step = time - this.kept;
    }
    this.latest = [];
    this.kept = time;
    for (const face of found) {
      if (!face.p) continue;
      if (!this.tracks.has(face.id)) this.tracks.set(face.id, { points: [] });
      const { points } = this.tracks.get(face.id);
      const point = { time, step: this.step, p: face.p, called: face.called };
      points.push(point);
      this.latest.push(point);
      if (points.length > POINTS) points.shift();
    }
  }
}
