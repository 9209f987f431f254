// A participant that only watches: sections 4, 5 and 8 of
// signaling/PROTOCOL.md.

import { Link } from "./link.js";
import { Socket } from "./tcmp.js";
import { explain } from "./words.js";

const answerTime = 45000; // ms until a join has to be answered
const quickest = 250; // ms before the first of the attempts to come back
const slowest = 10000; // and between two of them, at most
const mostGone = 1000; // participants that have left are remembered
const mostEarly = 100; // and messages whose track is not known yet
const replacements = 3; // peer connections in a row that may fail

// Client is in a room, or tries to be, until its state is "ended". It raises
// "change" when anything that it shows has changed, and "message" with
// {identity, track, data} in detail.
export class Client extends EventTarget {
  state = "connecting"; // or connected, reconnecting, ended
  text = ""; // why it is not connected
  room = ""; // its name

  #url;
  #token;
  #asked; // room name, or null: what the token grants
  #session = "";
  #self = "";
  #timeouts = {};
  #attempts = 0;
  #cookie = "";
  #socket = null;
  #link = null;
  #linksFailed = 0;
  #participants = new Map(); // by SID; those that left keep their revision
  #subscribed = new Map(); // track SID: {id, error}
  #revision = 0; // of subscribed
  #early = [];

  constructor({ url, token, room }) {
    super();
    this.#url = url;
    this.#token = token;
    this.#asked = room || null;
    this.retry = () => {
      if (this.#socket === null && (this.state === "connecting" || this.state === "reconnecting")) this.#dial();
    };
    window.addEventListener("online", this.retry);
    this.#join();
  }

  // participants lists who is there: {sid, identity, state, tracks}.
  participants() {
    return [...this.#participants.values()].filter((p) => p.state !== "disconnected");
  }

  // receiver finds who receives a track; error is why nobody does.
  receiver(sid) {
    const entry = this.#subscribed.get(sid);
    if (!entry) return {};
    return { receiver: entry.id ? this.#link?.receiver(entry.id) : null, error: entry.error?.message };
  }

  // media is the state of the peer connection.
  get media() {
    return this.#link?.state ?? "new";
  }

  async stats() {
    return this.#link && this.state !== "ended" ? this.#link.stats() : new Map();
  }

  // leave tells the server that the participant goes.
  leave() {
    if (this.state !== "ended") this.#end("You have left the room.");
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #become(state, text = "") {
    this.state = state;
    this.text = text;
    this.#changed();
  }

  #end(text) {
    if (this.state === "ended") return;
    for (const name in this.#timeouts) clearTimeout(this.#timeouts[name]);
    window.removeEventListener("online", this.retry);
    this.#socket?.leave({ type: "disconnect", version: 2, session: this.#session || null });
    this.#link?.close();
    this.#socket = this.#link = null;
    this.#become("ended", text);
  }

  #newLink() {
    this.#link?.close();
    const link = new Link({
      send: (state) => link === this.#link && this.#update(state),
      changed: () => {
        if (link !== this.#link) return;
        if (link.state === "connected") this.#linksFailed = 0;
        this.#changed();
      },
      message: (label, data) => link === this.#link && this.#hear(label, data),
      failed: (text) => link === this.#link && this.#replaceLink(text),
    });
    this.#link = link;
    return link;
  }

  async #replaceLink(text) {
    if (this.state === "ended") return;
    if (!this.#session || ++this.#linksFailed > replacements) {
      this.#end(text);
      return;
    }
    const link = this.#newLink();
    const state = await link.offer();
    if (link === this.#link) this.#update(state);
  }

  // join enters the room as somebody new.
  async #join() {
    this.#session = "";
    this.#participants.clear();
    this.#subscribed.clear();
    this.#revision = 0;
    this.#early = [];
    this.#changed();
    let link = this.#link;
    try {
      link = this.#newLink();
      const offer = await link.offer();
      if (link === this.#link) this.#open({ type: "connect", peer_connections: [offer] });
    } catch (err) {
      if (link === this.#link) this.#end(`This browser cannot receive media: ${err.message}`);
    }
  }

  // dial takes the session up again, or joins where there is none.
  #dial() {
    clearTimeout(this.#timeouts.dial);
    if (!this.#session) {
      this.#join();
      return;
    }
    this.#open({ type: "sync", session: this.#session, peer_connections: [this.#link.latest()] });
  }

  #open(message) {
    const body = {
      version: 2,
      name: this.#asked,
      token: this.#token,
      format: "unified",
      ice_servers: "acquire",
      publisher: { name: "parley-watch", sdk_version: "1", user_agent: "parley-watch/1" },
      participant: this.#participant(),
      media_signaling: {},
      subscribe: { revision: 1, rules: [{ type: "include", all: true }] },
      parley: { version: 1, slots: true },
      ...message,
    };
    const socket = new Socket(this.#url, body, this.#cookie, {
      message: (m) => socket === this.#socket && this.#receive(m),
      closed: (why) => socket === this.#socket && this.#lost(why),
    });
    this.#socket = socket;
    clearTimeout(this.#timeouts.answer);
    this.#timeouts.answer = setTimeout(() => {
      socket.close(3000);
      this.#lost({ kind: "lost", text: "The server does not answer." });
    }, answerTime);
  }

  #participant() {
    return { revision: 1, tracks: [] };
  }

  #update(state) {
    if (this.state !== "connected") return; // the answer to the join brings it up to date
    this.#socket?.send({
      type: "update", version: 2, session: this.#session, participant: this.#participant(), peer_connections: [state],
    });
  }

  #lost(why) {
    clearTimeout(this.#timeouts.answer);
    this.#socket = null;
    this.#cookie = why.cookie ?? "";
    if (why.kind === "refused") {
      this.#end(why.text);
      return;
    }
    this.#later(why.text, why.retryAfter);
  }

  // later tries again, after the time that the server asks for or one of our
  // own that grows.
  #later(text, retryAfter = 0) {
    const own = Math.min(quickest * 2 ** this.#attempts++, slowest);
    clearTimeout(this.#timeouts.dial);
    this.#timeouts.dial = setTimeout(() => this.#dial(), Math.max(retryAfter, own * (0.5 + Math.random() / 2)));
    this.#become(this.room ? "reconnecting" : "connecting", text);
  }

  #receive(message) {
    try {
      switch (message.type) {
        case "connected":
        case "synced":
          this.#entered(message);
          break;
        case "update":
          if (this.state === "connected") this.#apply(message);
          break;
        case "error":
        case "disconnected":
          this.#refused(message);
      }
    } catch (err) {
      console.error(err);
      this.#end("The server said something that cannot be understood.");
    }
  }

  #entered(message) {
    const again = message.type === "synced";
    if (this.state === "connected" || again !== (this.#session !== "")) return;
    clearTimeout(this.#timeouts.answer);
    this.#attempts = 0;
    this.#session = message.session ?? this.#session;
    this.#self = message.participant.sid;
    this.room = message.name || message.sid;
    if (message.parley?.ice_servers) this.#link.configure(message.parley.ice_servers);
    for (const [sid, p] of this.#participants) {
      if (p.state !== "disconnected" && !message.participants.some((other) => other.sid === sid)) {
        this.#participants.delete(sid);
      }
    }
    this.state = "connected";
    this.text = "";
    this.#apply(message);
    if (!again) {
      this.#link.resumed(); // what was gathered meanwhile
    } else if (message.peer_connections && !message.peer_connections.some((pc) => pc.id === this.#link.id)) {
      this.#replaceLink("The server has lost the media connection.");
    } else {
      this.#link.resumed();
    }
  }

  // refused takes the word that ends a session, unless another may be begun.
  #refused({ code, message, reason, retry_after: retryAfter = 0, status }) {
    const resuming = this.#session !== "" && this.state !== "connected";
    this.#socket.close(1000);
    this.#socket = null;
    clearTimeout(this.#timeouts.answer);
    const over = code === 53001 && resuming; // the place was not kept
    if (retryAfter >= 0 && (over || retryAfter > 0 || reason === "shutdown" || code === 53006)) {
      this.#session = "";
      this.#link.close();
      this.#participants.clear();
      this.#later(over ? "" : explain({ code, message, reason, status }), retryAfter);
      return;
    }
    this.#end(explain({ code, message, reason, status }));
  }

  #apply(update) {
    for (const entry of update.participants ?? []) this.#place(entry);
    const { subscribed } = update;
    if (subscribed && subscribed.revision > this.#revision) {
      this.#revision = subscribed.revision;
      this.#subscribed = new Map(subscribed.tracks.map((t) => [t.sid, { id: t.id, error: t.error }]));
    }
    for (const pc of update.peer_connections ?? []) {
      if (pc.id === this.#link.id) this.#link.receive(pc);
    }
    this.#want();
    const early = this.#early;
    this.#early = [];
    for (const [label, data] of early) this.#hear(label, data);
    this.#changed();
  }

  #place({ sid, identity, revision, state, tracks = [] }) {
    const known = this.#participants.get(sid);
    if (sid === this.#self || (known && revision <= known.revision)) return;
    if (state !== "reconnecting" && state !== "disconnected") state = "connected";
    if (state === "disconnected") {
      this.#participants.delete(sid); // to the end of the map
      const gone = [...this.#participants.values()].filter((p) => p.state === "disconnected");
      if (gone.length >= mostGone) this.#participants.delete(gone[0].sid);
      tracks = [];
    }
    this.#participants.set(sid, { sid, identity, revision, state, tracks });
  }

  #track(sid) {
    for (const participant of this.#participants.values()) {
      const track = participant.tracks.find((t) => t.sid === sid);
      if (track) return { participant, track };
    }
    return {};
  }

  #want() {
    const counts = { video: 0, audio: 0 };
    for (const [sid, { error }] of this.#subscribed) {
      const kind = this.#track(sid).track?.kind;
      if (!error && kind in counts) counts[kind]++;
    }
    this.#link.want(counts);
  }

  #hear(label, data) {
    for (const [sid, { id }] of this.#subscribed) {
      const { participant, track } = this.#track(sid);
      if (id === label && track) {
        const detail = { identity: participant.identity, track: track.name, data };
        this.dispatchEvent(new CustomEvent("message", { detail }));
        return;
      }
    }
    if (this.#early.length < mostEarly) this.#early.push([label, data]);
  }
}
