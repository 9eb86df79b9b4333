(() => {
  "use strict";
  // A session that ended shows only "Error" boxes in Gradio: go to the door instead.
  new PerformanceObserver((list) => {
    if (list.getEntries().some((entry) => entry.responseStatus === 401)) {
      location.assign("/sign-in?next=" + encodeURIComponent(location.pathname + location.search));
    }
  }).observe({ type: "resource", buffered: false });

  // A citation opens its passage and brings it into view.
  document.addEventListener("click", (event) => {
    const cite = event.target.closest && event.target.closest("a.cite");
    if (!cite) return;
    event.preventDefault();
    const passage = document.getElementById(cite.getAttribute("href").slice(1));
    if (!passage) return;
    passage.open = true;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    passage.scrollIntoView({ behavior: calm ? "auto" : "smooth", block: "nearest" });
    passage.classList.remove("shown");
    void passage.offsetWidth;
    passage.classList.add("shown");
    passage.querySelector("summary").focus({ preventScroll: true });
  });

  // Gradio opens every link in a new tab; signing out belongs in this one.
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a.sign-out");
    if (!link) return;
    event.preventDefault();
    location.assign(link.getAttribute("href"));
  });

  // The address names the conversation, so that a reload or a bookmark finds it again.
  const follow = () => {
    const heading = document.querySelector("h1.here");
    if (!heading) return;
    const id = heading.id.replace(/^conversation-/, "");
    const target = location.pathname + (id ? "?c=" + encodeURIComponent(id) : "");
    if (target !== location.pathname + location.search && opened) history.replaceState(null, "", target);
    opened = opened || Boolean(id) || !new URLSearchParams(location.search).has("c");
    const title = (id ? heading.textContent.trim() + " · " : "") + "Precept";
    if (document.title !== title) document.title = title;
  };
  let opened = false; // until the conversation in the address is shown, the address is right and the heading is not
  // Names for what Gradio leaves unnamed, or names with the markup of a whole message.
  const names = [
    ["#question .submit-button", "Ask"],
    ["#question .stop-button", "Stop the answer"],
    ["#chat [data-testid=bot]", "Answer"],
    ["#chat [data-testid=user]", "What you asked"],
  ];
  const name = () => {
    // Gradio calls the suggestions a list, but puts buttons in it.
    for (const list of document.querySelectorAll(".examples[role=list]")) list.setAttribute("role", "group");
    for (const [selector, label] of names) {
      for (const element of document.querySelectorAll(selector)) {
        if (element.getAttribute("aria-label") !== label) element.setAttribute("aria-label", label);
      }
    }
  };
  const watched = { childList: true, subtree: true, characterData: true };
  new MutationObserver(() => { follow(); name(); }).observe(document.documentElement, watched);
})();
