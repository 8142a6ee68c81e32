/** What a page in React 19 writes: every element, its events, and what must not compile. Compiled, never run. */
import "../../dist/0.1.0/types/react.d.ts";
import { useRef } from "react";
import type { ScripLedger } from "../../dist/0.1.0/types/embed.js";

export const Credits = ({ token }: { token: string }) => {
  const ledger = useRef<ScripLedger>(null);
  return (
    <scrip-provider
      endpoint="https://credits.example.com"
      token={token}
      fetchToken={async () => ({ token })}
      onscrip-error={({ detail }) => detail.retryable satisfies boolean}
    >
      <scrip-balance
        credit-type="ai"
        compact
        className="credits"
        onscrip-balance-low={({ detail }) => console.log(detail.available, detail.low)}
      />
      <scrip-usage credit-type="ai" group-by="feature" interval="week" view="table" />
      <scrip-runway credit-type="ai" heading-level={2}>
        <a slot="action" href="/billing">
          Buy
        </a>
      </scrip-runway>
      <scrip-expirations
        credit-type="ai"
        within="P30D"
        onscrip-expiring={({ detail }) => detail.projectedLoss satisfies string}
      />
      <scrip-ledger
        ref={ledger}
        credit-type="ai"
        live
        disputable
        page-size={50}
        onscrip-entry-select={(event) => event.preventDefault()}
      />
      <scrip-gate
        feature="images"
        quantity="2"
        on-error="closed"
        onscrip-gate-change={({ detail }) => detail.reason satisfies string | null}
      >
        <button type="button" slot="allowed">
          Generate
        </button>
      </scrip-gate>
      <scrip-top-up
        credit-type="ai"
        bundles="small large"
        return-url="/billing"
        onscrip-top-up-start={({ detail }) => detail.price.amount satisfies string}
        onscrip-top-up-done={({ detail }) => detail.credits satisfies string}
        onscrip-top-up-failed={({ detail }) => detail.code satisfies string}
      />
      <scrip-recharge
        credit-type="ai"
        onscrip-recharge-change={({ detail }) => detail.monthlyCap.currency satisfies string}
      />
      <scrip-dashboard credit-type="ai" onscrip-top-up-done={({ detail }) => detail.bundle satisfies string} />
    </scrip-provider>
  );
};

// @ts-expect-error A flag is no number.
export const WrongFlag = () => <scrip-balance credit-type="ai" compact={1} />;
// @ts-expect-error Without a credit type it has nothing to show.
export const WrongBare = () => <scrip-balance />;
// @ts-expect-error There is no such bar.
export const WrongInterval = () => <scrip-usage credit-type="ai" interval="fortnight" />;
// @ts-expect-error It opens or it closes.
export const WrongGate = () => <scrip-gate feature="images" on-error="maybe" />;
// @ts-expect-error Amounts are decimal strings: a number would round them.
export const WrongAmount = () => <scrip-gate feature="images" quantity={0.1} />;
// @ts-expect-error The credits bought are a string too.
export const WrongDetail = () => <scrip-top-up credit-type="ai" onscrip-top-up-done={(e) => e.detail.credits * 2} />;
// @ts-expect-error There is no such element.
export const WrongTag = () => <scrip-balances credit-type="ai" />;
