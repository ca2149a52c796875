const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text safe inside HTML; what stands between backticks becomes code. */
export function text(plain: string): string {
  return plain.replace(/[&<>"']/g, (character) => escapes[character] ?? '').replace(/`([^`]*)`/g, '<code>$1</code>');
}

/** A plain page without scripts. `body` is HTML. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)} · Perennial</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .4rem .8rem .4rem 0; border-bottom: 1px solid #8884; vertical-align: top; }
dt { font-weight: 600; } dd { margin: 0 0 .6rem; }
</style>
</head>
<body>
<h1>${text(title)}</h1>
${body}
</body>
</html>
`;
}
