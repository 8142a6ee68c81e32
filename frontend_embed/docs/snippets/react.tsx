// Beside it: curl -O https://credits.example.com/embed/{{version}}/types/{embed,react}.d.ts
import type {} from "./scrip/react.d.ts";

export function Billing({ onPaid }: { onPaid: (credits: string) => void }) {
  return (
    <scrip-provider endpoint="https://credits.example.com" token-url="/billing/credits-token">
      <scrip-balance credit-type="ai" low="100" />
      <scrip-gate feature="images" onscrip-gate-change={({ detail }) => console.log(detail.reason)}>
        <button slot="allowed">Generate</button>
        <a slot="blocked" href="/billing">
          Buy credits
        </a>
      </scrip-gate>
      <scrip-top-up credit-type="ai" onscrip-top-up-done={({ detail }) => onPaid(detail.credits)} />
    </scrip-provider>
  );
}
