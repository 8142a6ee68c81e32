import { registerLocale } from "https://credits.example.com/embed/{{version}}/embed.js";

registerLocale("pt", { retry: "Tentar de novo" }); // what is left out is said in English
