export * from "../../../../dist/0.1.0/types/testing.js";
