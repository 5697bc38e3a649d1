// What is shown: a picture, a video or a webcam, and what was found in it so far.

import { endWebcam } from "./server.js";

const POINTS = 40000; // of a face's timeline; a video of half an hour has as many

export class Work {
  // `kind` is picture, video or webcam; null where nothing is shown.
  constructor(kind, video) {
    this.kind = kind;
    this.video = video;
    this.stopped = new AbortController();
    this.size = { width: 0, height: 0 };
    this.rate = null;
    this.frames = new Map(); // the faces of each frame by its number
    this.now = []; // the faces that are shown
    this.tracks = new Map(); // each face's timeline by its number
    this.chosen = null;
    this.csv = [];
    this.address = null;
    this.playable = null; // of a video: whether the browser can
    this.place = 0; // in a video that it cannot play, in seconds or frames
    this.step = 1;
    this.end = 0;
  }

  get moment() {
    return this.playable ? this.video.currentTime : this.place;
  }

  get running() {
    return !this.stopped.signal.aborted;
  }

  stop() {
    this.stopped.abort();
    if (this.stream) this.stream.getTracks().forEach(track => track.stop());
    if (this.session) endWebcam(this.session);
  }

  keep(time, found) {
    for (const face of found) {
      if (!face.p) continue;
      if (!this.tracks.has(face.id)) this.tracks.set(face.id, { points: [] });
      const { points } = this.tracks.get(face.id);
      points.push({ time, step: this.step, p: face.p, called: face.called });
      if (points.length > POINTS) points.shift();
    }
  }
}
