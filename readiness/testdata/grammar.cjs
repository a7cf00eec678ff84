// Parses the PowerShell scripts of a JSON file with the grammar of
// @vscode/tree-sitter-wasm, and prints the errors of each as JSON.
const fs = require("fs");
const path = require("path");

(async () => {
  const base = path.dirname(require.resolve("@vscode/tree-sitter-wasm/package.json"));
  const { Parser, Language } = require("@vscode/tree-sitter-wasm");
  await Parser.init({ locateFile: (name) => path.join(base, "wasm", name) });
  const parser = new Parser();
  parser.setLanguage(await Language.load(path.join(base, "wasm", "tree-sitter-powershell.wasm")));
  const scripts = JSON.parse(fs.readFileSync(process.argv[2], "utf8"));
  const out = {};
  for (const [name, text] of Object.entries(scripts)) {
    out[name] = [];
    const walk = (node) => {
      if (node.isError || node.isMissing) {
        out[name].push(`line ${node.startPosition.row + 1}: ${node.text.slice(0, 80)}`);
      }
      node.children.forEach(walk);
    };
    walk(parser.parse(text).rootNode);
  }
  console.log(JSON.stringify(out));
})();
