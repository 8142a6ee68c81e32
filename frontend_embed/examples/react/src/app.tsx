import { useState } from "react";
// In a product of your own: a copy of /embed/{version}/types/react.d.ts and embed.d.ts beside its sources.
import type {} from "../../../dist/0.1.0/types/react.d.ts";

/** What the backend answers when it has burned, or could not. */
interface Made {
  made: boolean;
  code?: string;
}

async function makePostcard(): Promise<Made> {
  // One wish, one key: were this request sent twice, it would burn once.
  const answer = await fetch("/postcards", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ key: `postcard-${crypto.randomUUID()}` }),
  });
  return answer.json();
}

function Studio({ feature, tell }: { feature: string; tell: (news: string) => void }) {
  const [made, setMade] = useState(0);
  const make = async () => {
    const answer = await makePostcard();
    if (answer.made) setMade((before) => before + 1);
    else tell(`Refused: ${answer.code}`);
  };
  return (
    <>
      <scrip-gate
        feature={feature}
        onscrip-gate-change={({ detail }) =>
          tell(detail.allowed ? "You can make postcards" : `Blocked: ${detail.reason}`)
        }
      >
        <button type="button" slot="allowed" onClick={make}>
          Make a postcard
        </button>
        <span slot="blocked">No credits left: have a look at the shop.</span>
      </scrip-gate>
      <p>
        Made so far: <output>{made}</output>
      </p>
      <scrip-balance credit-type="ai" low="2" onscrip-balance-low={({ detail }) => tell(`Low: ${detail.available}`)} />
    </>
  );
}

const Shop = ({ tell }: { tell: (news: string) => void }) => (
  <scrip-top-up
    credit-type="ai"
    onscrip-top-up-done={({ detail }) => tell(`Thank you: ${detail.credits} credits`)}
    onscrip-top-up-failed={({ detail }) => tell(`Not bought: ${detail.code}`)}
  />
);

/** No balance is kept in React's state: the elements have it, live, and tell what happens. */
export function App({ scrip, feature }: { scrip: string; feature: string }) {
  const [isShopping, setShopping] = useState(false);
  const [news, setNews] = useState<{ id: string; line: string }[]>([]);
  const tell = (line: string) => setNews((before) => [{ id: crypto.randomUUID(), line }, ...before].slice(0, 5));
  return (
    <scrip-provider endpoint={scrip} token-url="/billing/credits-token">
      <header>
        <strong>Postcards</strong>
        <nav>
          <button type="button" aria-pressed={!isShopping} onClick={() => setShopping(false)}>
            Studio
          </button>
          <button type="button" aria-pressed={isShopping} onClick={() => setShopping(true)}>
            Shop
          </button>
          <scrip-balance credit-type="ai" compact />
        </nav>
      </header>
      <main>
        {isShopping ? <Shop tell={tell} /> : <Studio feature={feature} tell={tell} />}
        <ol aria-label="What happened" aria-live="polite">
          {news.map(({ id, line }) => (
            <li key={id}>{line}</li>
          ))}
        </ol>
      </main>
    </scrip-provider>
  );
}
