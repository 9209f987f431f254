// Where the page begins: whom to join as, and where.

import { Client } from "./client.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);
const view = new View();
let client = null;

// The token is kept for reloads of this tab, and taken out of the address bar,
// where others could read it.
function credentials() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (given.get("token")) {
    remember(given.get("token"), given.get("room") ?? "");
    history.replaceState(null, "", location.pathname + location.search);
  }
  return { token: sessionStorage.getItem("token"), room: sessionStorage.getItem("room") ?? "" };
}

function remember(token, room) {
  sessionStorage.setItem("token", token.trim());
  sessionStorage.setItem("room", room.trim());
}

function begin() {
  const { token, room } = credentials();
  $("form").hidden = Boolean(token);
  if (!token) return;
  client?.leave();
  const url = new URL("../signaling", location.href);
  url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
  url.search = url.hash = "";
  client = new Client({ url: url.href, token, room });
  view.show(client);
}

$("form").onsubmit = (event) => {
  event.preventDefault();
  remember($("token").value, $("name").value);
  $("form").reset();
  begin();
};
$("again").onclick = begin;
$("other").onclick = () => {
  sessionStorage.clear();
  $("end").hidden = true;
  begin();
  $("token").focus();
};
addEventListener("hashchange", begin); // another link was pasted
addEventListener("pagehide", () => client?.leave());
addEventListener("pageshow", (event) => event.persisted && location.reload());
begin();
