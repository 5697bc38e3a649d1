// Requests to the server. Every refusal is an Error with a sentence as its message.

const ATTEMPTS = 12;
const PAUSE = 500; // milliseconds between two attempts while the server ends other work

async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer; is it still running?");
  }
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  const error = new Error(body.error || `The server answered with ${response.status}.`);
  error.status = response.status;
  throw error;
}

export async function classifier() {
  return (await request("api/classifier")).json();
}

// The lines that the server sends about a picture or video, as they come.
export async function* predict(file, signal) {
  const path = `api/look?name=${encodeURIComponent(file.name || "picture")}`;
  let response;
  for (let attempt = 1; !response; attempt++) {
    try {
      response = await request(path, { method: "POST", body: file, signal });
    } catch (error) {
      if (error.status !== 503 || attempt === ATTEMPTS) throw error;
      await new Promise(resolve => setTimeout(resolve, PAUSE));
      signal.throwIfAborted();
    }
  }
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    for (const line of lines) yield JSON.parse(line);
  }
}

export async function beginWebcam() {
  return (await (await request("api/webcam", { method: "POST" })).json()).session;
}

export async function predictFrame(session, frame, signal) {
  return (await request(`api/webcam/${session}`, { method: "POST", body: frame, signal })).json();
}

export function endWebcam(session) {
  fetch(`api/webcam/${session}`, { method: "DELETE", keepalive: true }).catch(() => {});
}
