/** What a page in React 19 writes. Compiled, never run. */
import "../../dist/0.1.0/types/react.d.ts";

export const Credits = ({ token }: { token: string }) => (
  <scrip-provider endpoint="https://credits.example.com" token={token} fetchToken={async () => ({ token })}>
    <scrip-balance
      credit-type="ai"
      compact
      className="credits"
      onscrip-balance-low={({ detail }) => console.log(detail.available, detail.low)}
    />
    <scrip-usage credit-type="ai" group-by="feature" interval="week" />
    <scrip-gate feature="images" quantity="2" onscrip-gate-change={({ detail }) => console.log(detail.reason)} />
    <scrip-top-up credit-type="ai" bundles="small large" return-url="/thanks" />
    <scrip-dashboard credit-type="ai" />
    <scrip-ledger
      credit-type="ai"
      live
      disputable
      page-size={50}
      onscrip-entry-select={(event) => event.preventDefault()}
    />
  </scrip-provider>
);

// @ts-expect-error A flag is no number.
export const Wrong = () => <scrip-balance credit-type="ai" compact={1} />;
