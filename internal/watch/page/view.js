// The page: it shows what a Client knows, whenever that changes.

import { Tile } from "./tile.js";
import { bitrate, textOf } from "./words.js";

const messages = 200; // are kept
const loud = 0.02; // audio level, of 1
const shape = 16 / 9;
const gap = 12; // pixels between tiles
const narrow = 180; // pixels that a tile is wide at least

const $ = (id) => document.getElementById(id);

const states = { connecting: "Connecting", connected: "Connected", reconnecting: "Reconnecting", ended: "Disconnected" };

export class View {
  #client;
  #tiles = new Map(); // by track SID, or by participant SID where there is no video
  #voices = new Map(); // by track SID: {audio, identity, media}
  #sound = false;

  constructor() {
    $("sound").onclick = () => this.#setSound(!this.#sound);
    $("talk").onclick = () => this.#showMessages($("messages").hidden);
    new ResizeObserver(() => this.#arrange()).observe($("stage"));
    setInterval(() => this.#measure(), 1000);
  }

  // show follows another client.
  show(client) {
    this.#client = client;
    client.addEventListener("change", () => this.#render(client));
    client.addEventListener("message", ({ detail }) => this.#log(detail));
    this.#render(client);
  }

  #render(client) {
    if (client !== this.#client) return;
    this.#renderState(client);
    const tiles = new Map();
    const voices = new Map();
    const people = client.state === "ended" ? [] : client.participants();
    for (const participant of people) {
      const videos = participant.tracks.filter((t) => t.kind === "video");
      for (const track of videos) tiles.set(track.sid, { participant, track, ...client.receiver(track.sid) });
      if (videos.length === 0) tiles.set(participant.sid, { participant });
      for (const track of participant.tracks) {
        if (track.kind === "audio") voices.set(track.sid, { participant, track, ...client.receiver(track.sid) });
      }
    }
    sync(this.#tiles, tiles, () => {
      const tile = new Tile();
      $("tiles").append(tile.root);
      return tile;
    });
    sync(this.#voices, voices, () => new Voice());
    for (const voice of this.#voices.values()) voice.audio.muted = !this.#sound;
    $("nobody").hidden = client.state !== "connected" || people.length > 0;
    $("count").textContent = client.state !== "connected" || !people.length ? "" : people.length === 1 ? "1 participant" : `${people.length} participants`;
    $("sound").hidden = client.state === "ended" || client.room === "";
    $("talk").hidden = $("sound").hidden;
    this.#arrange();
  }

  #renderState({ state, media, text, room }) {
    $("room").textContent = room || "parley";
    document.title = room ? `${room} · parley` : "parley";
    const media_lost = state === "connected" && (media === "failed" || media === "disconnected");
    const words = media_lost ? "Media is interrupted" : states[state];
    const status = text && state !== "ended" ? `${words}: ${text}` : words;
    if ($("state").textContent !== status) $("state").textContent = status; // read out only when it changes
    $("status").className = `status ${media_lost ? "reconnecting" : state}`;
    $("end").hidden = state !== "ended";
    $("why").textContent = state === "ended" ? text : "";
  }

  // arrange makes the tiles as large as they can be.
  #arrange() {
    const stage = $("stage");
    const count = this.#tiles.size;
    if (count === 0) return;
    const style = getComputedStyle(stage);
    const width = stage.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight);
    const height = stage.clientHeight - parseFloat(style.paddingTop) - parseFloat(style.paddingBottom);
    let best = { columns: 1, wide: 0 };
    for (let columns = 1; columns <= count; columns++) {
      const rows = Math.ceil(count / columns);
      const wide = Math.min((width - gap * (columns - 1)) / columns, ((height - gap * (rows - 1)) / rows) * shape);
      if (wide > best.wide) best = { columns, wide };
    }
    if (best.wide < narrow) { // the stage scrolls
      const columns = Math.max(1, Math.floor((width + gap) / (narrow + gap)));
      best = { columns, wide: (width - gap * (columns - 1)) / columns };
    }
    $("tiles").style.setProperty("--columns", best.columns);
    $("tiles").style.setProperty("--wide", `${Math.floor(best.wide)}px`);
  }

  #setSound(on) {
    this.#sound = on;
    $("sound").ariaPressed = String(on);
    $("sound").textContent = on ? "Turn sound off" : "Turn sound on";
    for (const voice of this.#voices.values()) {
      voice.audio.muted = !on;
      voice.play();
    }
  }

  #showMessages(show) {
    $("messages").hidden = !show;
    $("talk").ariaPressed = String(show);
  }

  #log({ identity, track, data }) {
    const log = $("log");
    if (log.childElementCount === 0) this.#showMessages(true);
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const item = document.createElement("li");
    const head = document.createElement("span");
    head.className = "quiet";
    head.textContent = `${identity} · ${track} · ${new Date().toLocaleTimeString()}`;
    const text = document.createElement("p");
    text.textContent = textOf(data);
    item.append(head, text);
    log.append(item);
    while (log.childElementCount > messages) log.firstElementChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  // measure shows what the statistics say, once a second.
  async #measure() {
    const client = this.#client;
    if (!client || document.hidden) return;
    const stats = await client.stats();
    if (client !== this.#client) return;
    const reports = new Map();
    for (const report of stats.values()) {
      if (report.type === "inbound-rtp") reports.set(report.trackIdentifier, report);
    }
    let total = 0;
    for (const [sid, tile] of this.#tiles) {
      const report = reports.get(client.receiver(sid).receiver?.track.id);
      if (report) total += tile.count(report, stats.get(report.codecId)?.mimeType.split("/")[1]);
    }
    const speaking = new Set();
    for (const [sid, voice] of this.#voices) {
      const report = reports.get(client.receiver(sid).receiver?.track.id);
      if (!report) continue;
      total += voice.count(report);
      if ((report.audioLevel ?? 0) > loud) speaking.add(voice.identity);
    }
    for (const tile of this.#tiles.values()) tile.speak(speaking.has(tile.root.dataset.identity));
    $("total").textContent = total > 0 ? bitrate(total) : "";
  }
}

// sync makes the map have the keys of what is wanted, and shows it.
function sync(map, wanted, create) {
  for (const [key, value] of map) {
    if (wanted.has(key)) continue;
    value.remove();
    map.delete(key);
  }
  for (const [key, value] of wanted) {
    if (!map.has(key)) map.set(key, create());
    map.get(key).show(value);
  }
}

// Voice is an audio track. It is played, silently, from the beginning.
class Voice {
  audio = document.createElement("audio");
  identity = "";
  #playing = null;
  #before = null;

  constructor() {
    this.audio.autoplay = true;
    document.body.append(this.audio);
  }

  show({ participant, track, receiver }) {
    this.identity = participant.identity;
    this.audio.dataset.identity = participant.identity;
    this.audio.dataset.track = track.name;
    const media = (track.enabled && receiver?.track) || null;
    if (media === this.#playing) return;
    this.#playing = media;
    this.#before = null;
    this.audio.srcObject = media ? new MediaStream([media]) : null;
    this.play();
  }

  play() {
    if (this.#playing) this.audio.play().catch(() => {}); // not before a click, or it was replaced
  }

  count({ timestamp: time, bytesReceived: bytes, packetsReceived: packets }) {
    const before = this.#before;
    this.#before = { time, bytes };
    this.audio.dataset.packets = packets;
    if (!before || time <= before.time || bytes < before.bytes) return 0;
    return ((bytes - before.bytes) * 8000) / (time - before.time);
  }

  remove() {
    this.audio.srcObject = null;
    this.audio.remove();
  }
}
