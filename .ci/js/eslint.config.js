// Checks the pages' scripts: `make check-js`.
import js from "@eslint/js";
import globals from "globals";

const STORAGE = ["localStorage", "sessionStorage"];

export default [
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2022, sourceType: "module", globals: globals.browser },
    rules: {
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      // Reading them throws where storage is denied.
      "no-restricted-globals": ["error", ...STORAGE],
      "no-restricted-properties": ["error", ...STORAGE.map((property) => ({ object: "window", property }))],
    },
  },
];
