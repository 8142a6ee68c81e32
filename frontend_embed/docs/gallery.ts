/** Every element in the state that somebody chose, drawn anew for each choice. */
import { show } from "./code.ts";
import { radios, type World, world } from "./page.ts";

export class Gallery {
  readonly #stages = [...document.querySelectorAll<HTMLElement>(".stage[data-tag]")];
  readonly #worlds = new Map<HTMLElement, World>();

  liven(): void {
    for (const stage of this.#stages) {
      const frame = stage.querySelector(".frame") as HTMLElement;
      for (const choice of stage.querySelectorAll<HTMLInputElement>("input[type=radio]"))
        choice.addEventListener("change", () => this.#draw(stage, frame, choice));
      this.#draw(stage, frame, stage.querySelector("input:checked") as HTMLInputElement);
    }
    const each = (act: (view: HTMLElement) => void): void => {
      for (const stage of this.#stages) act(stage.querySelector(".view") as HTMLElement);
    };
    radios("scheme", (scheme) => each((view) => Object.assign(view.dataset, { scheme })));
    const select = (name: string, chosen: (value: string) => void): HTMLSelectElement => {
      const field = document.querySelector(`.looks [name=${name}]`) as HTMLSelectElement;
      field.addEventListener("change", () => chosen(field.value));
      return field;
    };
    select("width", (width) => each((view) => Object.assign(view.dataset, { width })));
    const spoken = select("language", (language) => {
      const direction = language === "ar" ? "rtl" : "ltr";
      (document.querySelector(`.looks [name=direction][value=${direction}]`) as HTMLInputElement).checked = true;
      each((view) => {
        view.lang = language;
        view.dir = direction;
      });
    });
    // A direction is shown in a language that is written in it.
    radios("direction", (direction) => {
      spoken.value = direction === "rtl" ? "ar" : "en";
      spoken.dispatchEvent(new Event("change"));
    });
  }

  #draw(stage: HTMLElement, frame: HTMLElement, choice: HTMLInputElement): void {
    this.#worlds.get(stage)?.end();
    const made = world(`${choice.dataset["state"]}`);
    this.#worlds.set(stage, made);
    const template = stage.querySelectorAll("template")[Number(choice.value)] as HTMLTemplateElement;
    made.provider.append(document.importNode(template.content, true));
    frame.replaceChildren(made.provider);
    show(stage.querySelector("pre code") as HTMLElement, `${choice.dataset["written"]}`);
  }
}
