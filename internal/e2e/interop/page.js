// What a page of the tests can do with twilio-video, and a log of every event
// that it was told. Go calls these by expressions, see page_test.go.
"use strict";

const { Video } = Twilio;

// events are the documented ones of each class.
const events = {
  Room: [
    "disconnected", "reconnecting", "reconnected",
    "participantConnected", "participantDisconnected", "participantReconnecting", "participantReconnected",
    "dominantSpeakerChanged", "recordingStarted", "recordingStopped",
    "trackPublished", "trackUnpublished", "trackEnabled", "trackDisabled",
    "trackSubscribed", "trackUnsubscribed", "trackSwitchedOff", "trackSwitchedOn", "trackSubscriptionFailed",
    "trackPublishPriorityChanged", "trackStarted", "trackDimensionsChanged", "trackMessage",
    "trackWarning", "trackWarningsCleared", "transcription",
  ],
  LocalParticipant: [
    "disconnected", "reconnecting", "reconnected", "networkQualityLevelChanged",
    "trackStarted", "trackDimensionsChanged",
    "trackPublished", "trackPublicationFailed", "trackEnabled", "trackDisabled", "trackStopped",
    "trackWarning", "trackWarningsCleared",
  ],
  RemoteParticipant: [
    "disconnected", "reconnecting", "reconnected", "networkQualityLevelChanged",
    "trackPublished", "trackUnpublished", "trackEnabled", "trackDisabled",
    "trackSubscribed", "trackUnsubscribed", "trackSwitchedOff", "trackSwitchedOn", "trackSubscriptionFailed",
    "trackPublishPriorityChanged", "trackStarted", "trackDimensionsChanged", "trackMessage",
  ],
  LocalTrackPublication: ["trackEnabled", "trackDisabled", "warning", "warningsCleared"],
  RemoteTrackPublication: [
    "trackEnabled", "trackDisabled", "subscribed", "unsubscribed", "subscriptionFailed",
    "trackSwitchedOff", "trackSwitchedOn", "publishPriorityChanged",
  ],
  LocalAudioTrack: ["started", "enabled", "disabled", "muted", "unmuted", "stopped"],
  LocalVideoTrack: ["started", "enabled", "disabled", "muted", "unmuted", "stopped", "dimensionsChanged"],
  RemoteAudioTrack: ["started", "enabled", "disabled", "switchedOff", "switchedOn"],
  RemoteVideoTrack: ["started", "enabled", "disabled", "switchedOff", "switchedOn", "dimensionsChanged"],
  RemoteDataTrack: ["message", "switchedOff", "switchedOn"],
};

// describe makes what an event carries readable.
function describe(v) {
  if (v instanceof Error) return { code: v.code ?? 0, message: v.message };
  if (v instanceof ArrayBuffer || ArrayBuffer.isView(v)) return { bytes: Array.from(new Uint8Array(v)) };
  if (v === null || typeof v !== "object") return v;
  if ("identity" in v) return { participant: v.identity, sid: v.sid };
  if ("trackSid" in v) return { publication: v.trackName, sid: v.trackSid, kind: v.kind };
  if ("kind" in v && "name" in v) return { track: v.name, sid: v.sid ?? "", kind: v.kind };
  if ("localParticipant" in v) return { room: v.name };
  return JSON.parse(JSON.stringify(v));
}

class Lab {
  room = null;
  log = []; // { on: class, who: name or identity, event, args }
  messages = []; // { from, track, text or bytes }
  tracks = {}; // of ours, by name
  failure = null; // what join failed with

  #watched = new WeakSet();

  // watch writes down what the object emits.
  watch(object, on, who) {
    if (this.#watched.has(object)) return;
    this.#watched.add(object);
    for (const event of events[on]) {
      object.on(event, (...args) => this.log.push({ on, who, event, args: args.map(describe) }));
    }
  }

  watchTrack(track, side) {
    const kind = track.kind[0].toUpperCase() + track.kind.slice(1);
    if (events[`${side}${kind}Track`]) this.watch(track, `${side}${kind}Track`, track.name);
  }

  // Video is shown, and audio played.
  subscribed(track, identity) {
    this.watchTrack(track, "Remote");
    if (track.kind === "data") {
      track.on("message", (data) => {
        const body = typeof data === "string" ? { text: data } : describe(data);
        this.messages.push({ from: identity, track: track.name, ...body });
      });
      return;
    }
    const element = track.attach();
    element.dataset.identity = identity;
    element.dataset.track = track.name;
    document.body.append(element);
  }

  watchRemotePublication(publication, identity) {
    this.watch(publication, "RemoteTrackPublication", publication.trackName);
    publication.on("subscribed", (track) => this.subscribed(track, identity));
    publication.on("unsubscribed", (track) => track.detach?.().forEach((element) => element.remove()));
    if (publication.track) this.subscribed(publication.track, identity);
  }

  watchParticipant(participant) {
    this.watch(participant, "RemoteParticipant", participant.identity);
    participant.on("trackPublished", (p) => this.watchRemotePublication(p, participant.identity));
    participant.tracks.forEach((p) => this.watchRemotePublication(p, participant.identity));
  }

  watchLocalPublication(publication) {
    this.watch(publication, "LocalTrackPublication", publication.trackName);
  }

  // join joins with the options, and tracks named by their making: { kind, name, … }.
  // The server is asked for ICE servers first where acquire is set.
  async join(token, { tracks = [], acquire = false, ...options }) {
    const made = [];
    for (const t of tracks) made.push(await this.make(t));
    const base = { wsServer: `ws://${location.host}/signaling`, insights: false, tracks: made };
    if (!acquire) base.iceServers = [];
    try {
      this.room = await Video.connect(token, { ...base, ...options });
    } catch (err) {
      this.failure = describe(err);
      throw err;
    }
    const { room } = this;
    this.watch(room, "Room", room.name);
    this.watch(room.localParticipant, "LocalParticipant", room.localParticipant.identity);
    room.localParticipant.tracks.forEach((p) => this.watchLocalPublication(p));
    room.localParticipant.on("trackPublished", (p) => this.watchLocalPublication(p));
    room.on("participantConnected", (p) => this.watchParticipant(p));
    room.participants.forEach((p) => this.watchParticipant(p));
    return { sid: room.sid, name: room.name, state: room.state, participantSID: room.localParticipant.sid };
  }

  // make makes a track of the fake devices.
  async make({ kind, ...options }) {
    let track;
    if (kind === "audio") track = await Video.createLocalAudioTrack(options);
    else if (kind === "video") track = await Video.createLocalVideoTrack({ width: 640, height: 480, frameRate: 15, ...options });
    else track = new Video.LocalDataTrack(options);
    this.tracks[options.name] = track;
    if (kind !== "data") this.watchTrack(track, "Local");
    return track;
  }

  // publish publishes a track made before, or makes one.
  async publish({ priority, ...options }) {
    const track = this.tracks[options.name] ?? (await this.make(options));
    const publication = await this.room.localParticipant.publishTrack(track, priority ? { priority } : undefined);
    return publication.trackSid;
  }

  unpublish(name) {
    return this.room.localParticipant.unpublishTrack(this.tracks[name])?.trackSid ?? "";
  }

  // send sends a message once the track's channel is open; bytes are a list of
  // numbers.
  async send(name, message) {
    const open = () => spied.channels.length > 0 && spied.channels.every((c) => c.readyState === "open");
    while (!open()) await new Promise((resolve) => setTimeout(resolve, 20));
    this.tracks[name].send(typeof message === "string" ? message : new Uint8Array(message));
  }

  // raw sends messages over a socket of its own, one after the other, and
  // returns what came until it was closed.
  raw(messages) {
    return new Promise((resolve) => {
      const socket = new WebSocket(`ws://${location.host}/signaling`);
      const frames = [];
      socket.binaryType = "arraybuffer";
      socket.addEventListener("open", () => messages.forEach((m) => socket.send(typeof m === "string" ? m : new Uint8Array(m))));
      socket.addEventListener("message", ({ data }) => frames.push(JSON.parse(data)));
      socket.addEventListener("close", ({ code }) => {
        const error = frames.map((f) => f.body).find((b) => b?.type === "error");
        resolve({ close: code, code: error?.code ?? 0, bad: frames.some((f) => f.type === "bad") });
      });
    });
  }

  // pretend has the client hear a message of the signaling that our server never
  // sends.
  pretend(body) {
    const data = JSON.stringify({ type: "msg", body });
    spied.sockets.at(-1).dispatchEvent(new MessageEvent("message", { data }));
  }

  // heard are the messages of the server, in order.
  heard() {
    return spied.frames.filter((f) => f.startsWith("< ")).map((f) => JSON.parse(f.slice(2)).body ?? {});
  }

  // label is that of the data channel of a media-signaling channel.
  label(channel) {
    return this.heard().findLast((b) => b.media_signaling?.[channel])?.media_signaling[channel].transport.label;
  }

  // pretendOn does it on a media-signaling channel.
  pretendOn(channel, message) {
    const { incoming } = spied;
    const data = JSON.stringify(message);
    incoming.findLast((c) => c.label === this.label(channel)).dispatchEvent(new MessageEvent("message", { data }));
  }

  participant(identity) {
    return [...this.room.participants.values()].find((p) => p.identity === identity);
  }

  publication(identity, name) {
    const participant = identity === "" ? this.room.localParticipant : this.participant(identity);
    return participant && [...participant.tracks.values()].find((p) => p.trackName === name);
  }

  // track is what we receive of somebody by the track's name, or null.
  track(identity, name) {
    return this.publication(identity, name)?.track ?? null;
  }

  // inbound are the statistics of what is received of a track; {} before
  // there are any.
  async inbound(identity, name) {
    const id = this.track(identity, name)?.mediaStreamTrack?.id;
    for (const pc of spied.connections) {
      if (!id || pc.connectionState === "closed") continue;
      for (const s of (await pc.getStats()).values()) {
        if (s.type === "inbound-rtp" && s.trackIdentifier === id) return s;
      }
    }
    return {};
  }

  async frames(identity, name) {
    return (await this.inbound(identity, name)).framesDecoded ?? 0;
  }

  async packets(identity, name) {
    return (await this.inbound(identity, name)).packetsReceived ?? 0;
  }

  // seen counts the events of a class, of an object with that name if one is given.
  seen(on, event, who) {
    return this.log.filter((e) => e.on === on && e.event === event && (who === undefined || e.who === who)).length;
  }

  last(on, event) {
    return this.log.findLast((e) => e.on === on && e.event === event)?.args ?? null;
  }
}

window.lab = new Lab();
