// The peer connection: section 6 of signaling/PROTOCOL.md, and slots.
//
// Towards a server with slots the page offers receive sections ahead of time,
// and the server says by mid which track uses which. Towards one without, the
// server offers, and a=msid says it; that is the same connection with the roles
// turned, so both are here.

import { randomId } from "./tcmp.js";

const spare = 4; // sections of each kind that are offered at a time
const most = 120; // and altogether, below what a server takes
const patience = 3000; // ms that ICE may be disconnected before it is restarted
const slowest = 10000; // ms between two restarts, at most

// Link is one peer connection. The handler has send(state), which sends an
// entry of peer_connections, changed(), message(label, data), and
// failed(text), after which the link is of no more use.
export class Link {
  id = randomId();
  #handler;
  #pc = new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
  #work = Promise.resolve(); // one thing after the other
  #closed = false;

  #rev = 0;
  #stable = 0;
  #pending = null; // our offer that waits for its answer: {description, applied}
  #last = null; // the latest description of ours, as it was sent
  #queued = null; // an offer of the server that came before the first answer
  #dirty = false;
  #restart = false;

  #candidates = { ufrag: "", list: [], complete: false, revision: 0 };
  #sending = null;
  #remote = { ufrag: "", taken: new Map(), waiting: new Map() };
  #attempts = 0;
  #timer = null;

  constructor(handler) {
    this.#handler = handler;
    const pc = this.#pc;
    this.#add({ video: spare, audio: spare });
    // The server's channels need an application section from the start. This
    // one is negotiated by nobody and carries nothing.
    pc.createDataChannel("", { negotiated: true, id: 1000 });
    pc.ontrack = () => handler.changed();
    pc.ondatachannel = ({ channel }) => {
      channel.binaryType = "arraybuffer";
      channel.onmessage = ({ data }) => handler.message(channel.label, data);
    };
    pc.onicecandidate = ({ candidate }) => this.#gathered(candidate);
    pc.oniceconnectionstatechange = () => this.#watch();
    pc.onconnectionstatechange = () => handler.changed();
  }

  // state is what people are told: "connected", or what it is instead.
  get state() {
    return this.#pc.connectionState;
  }

  // offer makes the first offer, for the message that joins the room. It is
  // applied with the answer: the ICE servers come with that.
  async offer() {
    const { sdp } = await this.#pc.createOffer();
    return { id: this.id, description: this.#propose(sdp) };
  }

  // configure sets the ICE servers. Later ones count from the next restart on.
  configure(iceServers) {
    try {
      this.#pc.setConfiguration({ ...this.#pc.getConfiguration(), iceServers });
    } catch (err) {
      console.warn("the server's ICE servers are of no use:", err);
    }
  }

  // receive takes the server's part of peer_connections.
  receive({ description, ice }) {
    if (description) this.#run(() => this.#describe(description));
    if (ice) this.#run(() => this.#take(ice));
  }

  // latest is what is told of the connection when a session is taken up again.
  latest() {
    return { id: this.id, description: this.#last };
  }

  // resumed sends what the server may have missed.
  resumed() {
    if (this.#pending || this.#last.type === "answer") this.#handler.send(this.latest());
    if (this.#candidates.ufrag) this.#tell();
  }

  // want makes sure that there are sections for so many tracks.
  want(counts) {
    this.#run(() => {
      const missing = { video: 0, audio: 0 };
      for (const kind in missing) {
        const lack = counts[kind] - this.#sections(kind).length;
        if (lack > 0) missing[kind] = Math.max(lack, spare);
      }
      if (missing.video + missing.audio === 0) return null;
      this.#add(missing);
      this.#dirty = true;
      return this.#negotiate();
    });
  }

  // receiver finds who receives the media that the server calls id: the mid of
  // a section, or the track part of its a=msid.
  receiver(id) {
    const sections = this.#pc.getTransceivers();
    const found = sections.find((t) => t.mid === id);
    if (found || !this.#pc.remoteDescription) return found?.receiver;
    const mid = midOf(this.#pc.remoteDescription.sdp, id);
    return sections.find((t) => t.mid !== null && t.mid === mid)?.receiver;
  }

  stats() {
    return this.#pc.getStats();
  }

  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#sending);
    this.#pc.close();
  }

  #run(step) {
    this.#work = this.#work.then(() => (this.#closed ? null : step())).catch((err) => {
      if (this.#closed) return;
      console.error(err);
      this.close();
      this.#handler.failed(`The media connection cannot be negotiated: ${err.message}`);
    });
  }

  #sections(kind) {
    return this.#pc.getTransceivers().filter((t) => t.receiver.track.kind === kind);
  }

  #add(counts) {
    for (const kind in counts) {
      for (let n = counts[kind]; n > 0 && this.#pc.getTransceivers().length < most; n--) {
        this.#pc.addTransceiver(kind, { direction: "recvonly" });
      }
    }
  }

  #propose(sdp) {
    this.#rev++;
    this.#dirty = false;
    this.#last = { type: "offer", revision: this.#rev, sdp };
    this.#pending = { sdp, applied: false };
    return this.#last;
  }

  async #apply() {
    if (this.#pending.applied) return;
    this.#pending.applied = true;
    await this.#pc.setLocalDescription({ type: "offer", sdp: this.#pending.sdp });
  }

  // negotiate makes an offer if one is needed and none is out.
  async #negotiate() {
    if (this.#pending || this.#stable === 0 || !(this.#dirty || this.#restart)) return;
    const { sdp } = await this.#pc.createOffer({ iceRestart: this.#restart });
    this.#restart = false;
    const description = this.#propose(sdp);
    await this.#apply();
    this.#handler.send({ id: this.id, description });
  }

  async #describe(d) {
    switch (d.type) {
      case "answer":
        if (!this.#pending || d.revision !== this.#rev) return;
        await this.#apply();
        await this.#settle(d);
        this.#pending = null;
        if (this.#queued) {
          const queued = this.#queued;
          this.#queued = null;
          await this.#describe(queued);
        }
        break;
      case "offer":
        if (d.revision <= this.#stable) {
          // Our answer was lost.
          if (this.#last.type === "answer" && this.#last.revision === d.revision) this.#handler.send(this.latest());
          return;
        }
        if (this.#stable === 0) {
          this.#queued = d;
          return;
        }
        if (this.#pending) {
          this.#pending = null; // they crossed; ours is rolled back, and comes again
          this.#dirty = true;
        }
        this.#rev = d.revision;
        await this.#settle(d);
        await this.#pc.setLocalDescription();
        this.#last = { type: "answer", revision: this.#rev, sdp: this.#pc.localDescription.sdp };
        this.#handler.send(this.latest());
        break;
      case "create-offer":
        if (d.revision <= this.#stable) return;
        this.#dirty = true;
        if (!this.#pending) this.#rev = d.revision;
        break;
      case "close":
        this.close();
        this.#handler.failed("The server has closed the media connection.");
        return;
      default:
        return;
    }
    this.#handler.changed();
    await this.#negotiate();
  }

  async #settle({ type, sdp, revision }) {
    await this.#pc.setRemoteDescription({ type, sdp });
    this.#stable = revision;
    const remote = this.#remote;
    remote.ufrag = ufragOf(sdp);
    const waiting = remote.waiting.get(remote.ufrag) ?? [];
    remote.waiting.clear();
    for (const candidate of waiting) await this.#addCandidate(candidate);
  }

  // take takes a list of candidates, which repeats all that were there before.
  async #take({ ufrag, candidates = [] }) {
    const remote = this.#remote;
    const fresh = candidates.slice(remote.taken.get(ufrag) ?? 0);
    remote.taken.set(ufrag, candidates.length);
    if (ufrag && ufrag !== remote.ufrag) {
      remote.waiting.set(ufrag, [...(remote.waiting.get(ufrag) ?? []), ...fresh]);
      return;
    }
    for (const candidate of fresh) await this.#addCandidate(candidate);
  }

  async #addCandidate(candidate) {
    try {
      await this.#pc.addIceCandidate(candidate);
    } catch (err) {
      console.warn("a candidate is of no use:", err); // others may be
    }
  }

  #gathered(candidate) {
    const mine = this.#candidates;
    const ufrag = ufragOf(this.#pc.localDescription?.sdp ?? "");
    if (ufrag !== mine.ufrag) Object.assign(mine, { ufrag, list: [], complete: false });
    if (candidate === null) {
      mine.complete = true;
    } else if (candidate.candidate) {
      mine.list.push(candidate.toJSON());
    }
    // They come in bursts; the server counts messages.
    this.#sending ??= setTimeout(() => this.#tell(), 50);
  }

  #tell() {
    clearTimeout(this.#sending);
    this.#sending = null;
    const { ufrag, list, complete } = this.#candidates;
    this.#candidates.revision++;
    this.#handler.send({
      id: this.id,
      ice: { ufrag, revision: this.#candidates.revision, candidates: list, ...(complete && { complete }) },
    });
  }

  // watch restarts ICE when it has failed, or is interrupted for long.
  #watch() {
    this.#handler.changed();
    clearTimeout(this.#timer);
    switch (this.#pc.iceConnectionState) {
      case "connected":
      case "completed":
        this.#attempts = 0;
        return;
      case "disconnected":
        this.#timer = setTimeout(() => this.#revive(), patience);
        return;
      case "failed":
        this.#revive();
    }
  }

  #revive() {
    clearTimeout(this.#timer);
    this.#run(() => {
      this.#restart = true;
      return this.#negotiate();
    });
    this.#timer = setTimeout(() => this.#revive(), Math.min(patience * 2 ** this.#attempts++, slowest));
  }
}

function ufragOf(sdp) {
  return /^a=ice-ufrag:(.*?)\r?$/m.exec(sdp)?.[1] ?? "";
}

// midOf finds the section whose a=msid has the track part.
function midOf(sdp, track) {
  for (const section of sdp.split(/^m=/m).slice(1)) {
    const mid = /^a=mid:(.*?)\r?$/m.exec(section)?.[1];
    const msid = /^a=msid:\S+ (.*?)\r?$/m.exec(section)?.[1];
    if (msid === track && !/^a=(inactive|recvonly)\r?$/m.test(section)) return mid;
  }
  return null;
}
