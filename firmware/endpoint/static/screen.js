// Small helps; every screen works without them.
// 1. A sign of life in the moment of the press.  2. A second tap of a trembling hand, or a key held down, answers
// nothing that nobody has seen yet.  3. Asking whether anything changed; the live view.  4. The keypad.
// 5. A list that is longer than the screen is seen to its end before the button under it goes on.
"use strict";

const AWAY = "away"; // the station does not answer: it is being started again
const POLL_MS = 500;
const LIVE_MS = 60; // the big button is pressed beside the screen, which must show it within 100 ms
const UNSEEN_MS = 350; // a double tap has its second one within 300 ms
const shownAt = performance.now();

// --- 1. a sign of life

const overlay = document.getElementById("working");

function showWorking(sentence) {
  overlay.querySelector("p").textContent = sentence;
  overlay.hidden = false;
}

for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    const button = event.submitter;
    if (button) button.classList.add("pressed");
    const sentence = button && button.hasAttribute("formaction") ? button.dataset.working : form.dataset.working;
    if (sentence) showWorking(sentence);
  });
}

window.addEventListener("pageshow", () => {
  overlay.hidden = true;
  for (const form of document.querySelectorAll("form")) delete form.dataset.sent;
  for (const button of document.querySelectorAll(".pressed")) button.classList.remove("pressed");
});

// --- 2. nothing unseen is answered

document.addEventListener("click", (event) => {
  const answers = event.target.closest("main button:not(.key), main a, .send");
  if (answers && performance.now() - shownAt < UNSEEN_MS) { event.preventDefault(); event.stopPropagation(); }
}, true);

document.addEventListener("keydown", (event) => {
  if (event.repeat && (event.key === "Enter" || event.key === " ")) event.preventDefault();
});

setTimeout(() => { document.body.dataset.seen = "1"; }, UNSEEN_MS);

// --- 3. has anything changed?

const version = document.body.dataset.version;
const live = document.getElementById("live");
const address = location.pathname === "/pages" ? "/pages" : "/";

async function poll() {
  const began = performance.now();
  try {
    const answer = await fetch(live ? "/progress?watching" : "/progress", { cache: "no-store" });
    const now = answer.ok ? await answer.json() : { version: AWAY };
    if (now.version !== version) {
      if (now.working && overlay.hidden) showWorking(now.working);
      location.replace(address);
      return;
    }
    if (live && now.live) showLive(now.live);
  } catch (problem) {
    // The screen's own server is away; the next question finds it again.
  }
  setTimeout(poll, Math.max(0, (live ? LIVE_MS : POLL_MS) - (performance.now() - began)));
}

let shown = 0;
let loading = false;

async function showPicture(number) {
  const next = new Image();
  next.alt = live.querySelector("img").alt;
  next.src = "/live.jpg?" + number;
  loading = true;
  try {
    await next.decode();
    live.querySelector("img").replaceWith(next);
    shown = number;
  } catch (problem) {
    // Nothing lies there to be shown any more; the next answer says what does.
  }
  loading = false;
}

function showLive(now) {
  if (now.number && now.number !== shown && !loading) showPicture(now.number);
  if (!now.number) {
    live.querySelector("img").hidden = true;
    shown = 0;
  }
  live.querySelector("svg").setAttribute("viewBox", `0 0 ${now.size[0] || 4} ${now.size[1] || 3}`);
  live.querySelector("polygon").setAttribute("points", now.points);
  live.classList.toggle("good", now.good);
  live.classList.toggle("blind", !now.number);
  const caption = live.querySelector("figcaption");
  if (caption.textContent !== now.says) caption.textContent = now.says;
}

if (version) setTimeout(poll, live ? 0 : POLL_MS);

const wait = document.querySelector("[data-wait]");

if (wait) {
  const seconds = wait.querySelector(".seconds span");
  setInterval(() => {
    const left = Number(seconds.textContent) - 1;
    if (left > 0) seconds.textContent = left; else location.replace(location.pathname);
  }, 1000);
}

// --- 4. the keypad

const typed = document.getElementById("typed");
const witnesses = document.getElementById("witnesses");

function showTyped() { document.body.classList.toggle("typing", typed.value !== ""); }

function local(button, act) {
  button.type = "button";
  button.addEventListener("click", act);
}

if (typed) {
  document.body.classList.add("scripted");
  for (const key of document.querySelectorAll(".pad button[name=key]")) {
    local(key, () => {
      typed.value = key.value === "back" ? typed.value.slice(0, -1) : (typed.value + key.value).slice(0, typed.maxLength);
      showTyped();
      typed.focus();
    });
  }
  typed.addEventListener("input", () => { typed.value = typed.value.replace(/[^0-9]/g, ""); showTyped(); });
  showTyped();
}

if (witnesses) {
  for (const key of document.querySelectorAll(".stepper button")) {
    const step = key.value === "more" ? 1 : -1;
    local(key, () => { witnesses.value = Math.min(24, Math.max(0, Number(witnesses.value) + step)); });
  }
}

// --- 5. the end of a list

const onward = document.querySelector("a[data-more]");
const list = document.querySelector("main");
const SEEN_PX = 8;

function unseen() { return list.scrollHeight - list.clientHeight - list.scrollTop > SEEN_PX; }

if (onward) {
  const label = onward.textContent;
  const show = () => { onward.textContent = unseen() ? onward.dataset.more : label; };
  list.addEventListener("scroll", show);
  window.addEventListener("resize", show);
  onward.addEventListener("click", (event) => {
    if (!unseen()) return;
    event.preventDefault();
    const step = list.clientHeight - document.querySelector("footer").offsetHeight;
    list.scrollBy(0, step * 0.8);
  });
  show();
}
