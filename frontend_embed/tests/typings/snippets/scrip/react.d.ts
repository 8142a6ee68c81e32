import "../../../../dist/0.1.0/types/react.d.ts";
