// A room without an SDK: one camera and one microphone out, everybody else's in.
// Sections are those of signaling/PROTOCOL.md. Left out are data tracks, ICE
// restarts and TURN servers; internal/watch/page has them.

const $ = (id) => document.getElementById(id);
const participants = new Map(); // by SID: the newest entry of each
let subscribed, pc, socket, token, url, session, participant;
let last; // our newest description
let ended = true;
let work = Promise.resolve(); // messages are worked off one after the other

$("join").onsubmit = (event) => {
  event.preventDefault();
  $("join").hidden = true;
  join($("identity").value).catch((err) => end(err.message));
};
$("leave").onclick = () => leave("You have left.");
addEventListener("pagehide", () => ended || leave(""));

async function join(identity) {
  $("status").textContent = "Joining";
  session = undefined;
  subscribed = { revision: 0, tracks: [] };
  participants.clear();
  const answer = await fetch("token", { method: "POST", body: new URLSearchParams({ identity }) });
  if (!answer.ok) throw new Error(await answer.text());
  ({ token, url } = await answer.json());
  const media = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: true });
  pc = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  for (const track of media.getTracks()) pc.addTransceiver(track, { direction: "sendonly" });
  show("self", identity, media.getVideoTracks()).muted = true;
  // Section 6: the first offer has revision 1. It is sent with all candidates,
  // so that none have to follow.
  await pc.setLocalDescription();
  while (pc.iceGatheringState !== "complete") {
    await new Promise((resolve) => pc.addEventListener("icegatheringstatechange", resolve, { once: true }));
  }
  last = { type: "offer", revision: 1, sdp: pc.localDescription.sdp };
  // A track is known by the id that the description gives it.
  const ids = new Map(sections(last.sdp));
  participant = { revision: 1, tracks: pc.getTransceivers().map(({ mid, sender: { track: { kind } } }) => (
    { id: ids.get(mid), kind, name: kind === "video" ? "camera" : "microphone", enabled: true, priority: "standard" })) };
  ended = false;
  $("leave").hidden = false;
  dial();
}

// dial opens a socket: section 2. Who has been in the room takes the session up
// again.
function dial() {
  let period = 5000, heard = Date.now(), pause = 1000, beat;
  const mine = socket = new WebSocket(url);
  const body = {
    type: session ? "sync" : "connect", version: 2, session, token, format: "unified", ice_servers: "acquire",
    publisher: { name: "webpage", sdk_version: "1", user_agent: "webpage/1" }, participant, media_signaling: {},
    peer_connections: [{ id: "pc", description: last }],
    subscribe: { revision: 1, rules: [{ type: "include", all: true }] },
  };
  socket.onopen = () => frame({ type: "hello", id: crypto.randomUUID(), version: 2, timeout: period, body });
  socket.onmessage = ({ data }) => {
    const message = JSON.parse(data);
    heard = Date.now();
    if (message.type === "msg") work = work.then(() => mine === socket && receive(message.body)).catch((err) => leave(err.message));
    if (message.type === "bad" || message.retryAfter < 0) end(message.reason ?? "The server is too busy.");
    if (message.type === "busy") {
      pause = message.retryAfter;
      mine.close(3005);
    }
    if (message.type === "welcome") {
      period = message.negotiatedTimeout;
      beat = setInterval(() => (Date.now() - heard > 3 * period ? mine.close(3001) : frame({ type: "heartbeat" })), period - 200);
    }
  };
  socket.onclose = () => {
    clearInterval(beat);
    if (ended || mine !== socket) return;
    $("status").textContent = "Reconnecting";
    setTimeout(() => ended || dial(), pause);
  };
}

function frame(object) {
  if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(object));
}

async function receive(message) {
  if (message.type === "error" || message.type === "disconnected") return end(message.message ?? "The room has ended.");
  if (message.type === "connected" || message.type === "synced") {
    session = message.session;
    $("status").textContent = `In ${message.name}`;
    const there = new Set(message.participants.map((p) => p.sid));
    for (const sid of participants.keys()) there.has(sid) || participants.delete(sid);
  }
  for (const p of message.participants ?? []) {
    if (p.revision > (participants.get(p.sid)?.revision ?? -1)) participants.set(p.sid, p);
  }
  if (message.subscribed?.revision > subscribed.revision) subscribed = message.subscribed;
  for (const { description } of message.peer_connections ?? []) if (description) await describe(description);
  render();
}

// describe takes a description of the server: section 6. We make one offer, so
// that ours and the server's never cross.
async function describe({ type, revision, sdp }) {
  if (type === "answer" && pc.signalingState === "have-local-offer") await pc.setRemoteDescription({ type, sdp });
  if (type !== "offer") return;
  if (revision > last.revision) {
    await pc.setRemoteDescription({ type, sdp });
    await pc.setLocalDescription();
    last = { type: "answer", revision, sdp: pc.localDescription.sdp };
  }
  if (revision === last.revision) { // or our answer was lost
    frame({ type: "msg", body: { type: "update", version: 2, session, participant, peer_connections: [{ id: "pc", description: last }] } });
  }
}

// render shows what we are subscribed to: the id of a subscription is the track
// part of a section's a=msid.
function render() {
  const mids = new Map(sections(pc.remoteDescription?.sdp ?? "").map(([mid, id]) => [id, mid]));
  const shown = new Set(["self"]);
  for (const { sid, id } of subscribed.tracks) {
    const who = [...participants.values()].find((p) => p.state !== "disconnected" && p.tracks.some((t) => t.sid === sid));
    const section = pc.getTransceivers().find((t) => t.mid && t.mid === mids.get(id));
    if (!who || !section) continue; // it comes, in another message
    shown.add(sid);
    show(sid, who.identity, [section.receiver.track]);
  }
  for (const tile of [...$("tiles").children]) shown.has(tile.id) || tile.remove();
}

function show(sid, identity, tracks) {
  let tile = $(sid);
  if (!tile) {
    tile = document.createElement("figure");
    tile.id = sid;
    const element = document.createElement(tracks[0].kind);
    element.autoplay = element.playsInline = true;
    tile.append(element, document.createElement("figcaption"));
    tile.lastChild.textContent = identity;
    tile.hidden = tracks[0].kind === "audio";
    $("tiles").append(tile);
  }
  const element = tile.firstChild;
  if (element.srcObject?.getTracks()[0] !== tracks[0]) element.srcObject = new MediaStream(tracks);
  return element;
}

// sections lists [mid, track part of a=msid] of those that send.
function sections(sdp) {
  return sdp.split(/^m=/m).slice(1).filter((s) => /^a=send/m.test(s)).map((s) => [
    /^a=mid:(\S+)/m.exec(s)?.[1], /^a=msid:\S+ (\S+)/m.exec(s)?.[1],
  ]);
}

function leave(why) {
  frame({ type: "msg", body: { type: "disconnect", version: 2, session: session ?? null } });
  frame({ type: "bye" });
  end(why);
}

function end(why) {
  ended = true;
  socket?.close(1000);
  for (const sender of pc?.getSenders() ?? []) sender.track?.stop();
  pc?.close();
  $("status").textContent = why;
  $("leave").hidden = true;
  $("join").hidden = false;
  $("tiles").replaceChildren();
}
