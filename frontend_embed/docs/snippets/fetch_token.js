const provider = document.querySelector("scrip-provider");
// reason is "initial", "expiring" or "rejected"; one call at a time, and the token stays in memory.
provider.fetchToken = async ({ reason, signal }) => {
  const answer = await fetch("/billing/credits-token", {
    method: "POST",
    headers: { "x-csrf-token": document.querySelector("meta[name=csrf-token]").content },
    signal,
  });
  return answer.json(); // { token, expiresAt }
};
