export * from "../../../../dist/0.1.0/types/testing_server.js";
