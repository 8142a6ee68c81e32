/** The pretended payment page: tells the page that opened it what became of the payment. */
const channel = new BroadcastChannel("scrip-docs");
for (const button of document.querySelectorAll<HTMLButtonElement>("[data-outcome]")) {
  button.addEventListener("click", () => {
    channel.postMessage({ at: location.hash.slice(1), outcome: button.dataset["outcome"] });
    const status = document.querySelector("[role=status]");
    if (status) status.textContent = "Told. You may close this tab.";
  });
}
