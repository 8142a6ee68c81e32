import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app.tsx";

const root = document.querySelector<HTMLElement>("#root");
if (root) {
  const { scrip = "", feature = "" } = root.dataset;
  createRoot(root).render(
    <StrictMode>
      <App scrip={scrip} feature={feature} />
    </StrictMode>,
  );
}
