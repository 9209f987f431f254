// One tile: a video track, or a participant without one.

import { bitrate } from "./words.js";

function part(parent, tag, name) {
  const element = document.createElement(tag);
  element.className = name;
  parent.append(element);
  return element;
}

export class Tile {
  root = document.createElement("figure");
  #video;
  #letter;
  #instead;
  #name;
  #track;
  #note;
  #numbers;
  #playing = null; // the MediaStreamTrack
  #before = null; // {time, bytes, frames}

  constructor() {
    this.root.className = "tile waiting";
    this.#video = part(this.root, "video", "");
    this.#video.muted = true; // it has no sound of its own; muted videos may play at once
    this.#video.autoplay = true;
    this.#video.playsInline = true;
    const instead = part(this.root, "div", "instead");
    this.#letter = part(instead, "span", "letter");
    this.#letter.ariaHidden = "true";
    this.#instead = part(instead, "span", "");
    const caption = part(this.root, "figcaption", "");
    this.#name = part(caption, "span", "name");
    this.#track = part(caption, "span", "track");
    this.#note = part(caption, "span", "note");
    this.#numbers = part(caption, "span", "numbers");
    const full = part(this.root, "button", "");
    full.type = "button";
    full.textContent = "Full screen";
    full.onclick = () => (document.fullscreenElement ? document.exitFullscreen() : this.root.requestFullscreen());
  }

  // show brings the tile up to date. track is missing for a participant
  // without video, receiver where nothing is received.
  show({ participant, track, receiver, error }) {
    const { identity, state } = participant;
    const name = track?.name ?? "";
    this.root.dataset.identity = identity;
    this.root.dataset.track = name;
    this.root.setAttribute("aria-label", track ? `${identity}, video ${name}` : `${identity}, no video`);
    this.#video.setAttribute("aria-label", `Video of ${identity}`);
    this.#letter.textContent = [...identity][0]?.toUpperCase() ?? "?";
    this.#name.textContent = identity;
    this.#track.textContent = name;
    this.#note.textContent = state === "reconnecting" ? "reconnecting" : "";
    this.#instead.textContent = error ?? (!track ? "" : track.enabled ? "The picture is on its way" : "Paused");
    this.#play(track?.enabled ? receiver?.track : null);
  }

  #play(media) {
    if (media === this.#playing || (!media && !this.#playing)) return;
    this.#playing = media ?? null;
    this.#before = null;
    this.#numbers.textContent = "";
    this.root.classList.add("waiting");
    this.#video.srcObject = media ? new MediaStream([media]) : null;
    if (!media) return;
    this.#video.play().catch(() => {}); // it was replaced meanwhile
    const seen = () => this.#playing === media && this.root.classList.remove("waiting");
    // The section may have been somebody else's: what counts is a new picture.
    if (this.#video.requestVideoFrameCallback) this.#video.requestVideoFrameCallback(seen);
    else this.#video.onplaying = seen;
  }

  // count shows the numbers of an inbound-rtp report, and returns the bit rate.
  count(report, codec) {
    const { timestamp: time, bytesReceived: bytes, framesDecoded: frames = 0 } = report;
    const before = this.#before;
    this.#before = { time, bytes, frames };
    this.root.dataset.frames = frames;
    if (!before || time <= before.time || bytes < before.bytes || !this.#playing) return 0;
    const seconds = (time - before.time) / 1000;
    const bps = ((bytes - before.bytes) * 8) / seconds;
    const fps = Math.round(report.framesPerSecond ?? (frames - before.frames) / seconds);
    const size = report.frameWidth ? `${report.frameWidth}×${report.frameHeight} · ` : "";
    this.#numbers.textContent = `${size}${fps} fps · ${bitrate(bps)}${codec ? ` · ${codec}` : ""}`;
    return bps;
  }

  speak(loud) {
    this.root.classList.toggle("speaking", loud);
  }

  remove() {
    this.#play(null);
    this.root.remove();
  }
}
