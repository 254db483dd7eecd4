const MAX_DEPTH = 512;

/**
 * Whether brackets nest deeper than instances accept; most text has too few of them for that, which is seen quickly.
 * @param around - brackets that the text is going to stand in
 */
export function isTooDeep(json: string, around = 0): boolean {
  if (json.length <= MAX_DEPTH) return false;
  let brackets = around;
  for (const bracket of ['{', '[']) {
    for (let at = json.indexOf(bracket); at !== -1 && brackets <= MAX_DEPTH; at = json.indexOf(bracket, at + 1)) {
      brackets += 1;
    }
  }
  if (brackets <= MAX_DEPTH) return false;
  let depth = around;
  for (let at = 0; at < json.length; at += 1) {
    const char = json[at];
    if (char === '"') at = endOfString(json, at);
    else if (char === '{' || char === '[') {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (char === '}' || char === ']') depth -= 1;
  }
  return false;
}

/** Whether text is JSON. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** The text of an object's field, the last of that name, in JSON that is known to be good. */
export function fieldText(json: string, name: string): string | undefined {
  let found: string | undefined;
  let depth = 0;
  let key: unknown;
  /** Where the field's value begins; -1 where a key comes next. */
  let from = -1;
  for (let at = 0; at < json.length; at += 1) {
    const char = json[at];
    if (char === '"') {
      const end = endOfString(json, at);
      if (depth === 1 && from === -1) key = JSON.parse(json.slice(at, end + 1));
      at = end;
    } else if (depth === 1 && (char === ',' || char === '}')) {
      if (key === name && from !== -1) found = json.slice(from, at).trim();
      from = -1;
      if (char === '}') depth = 0;
    } else if (depth === 1 && char === ':') from = at + 1;
    else if (char === '{' || char === '[') depth += 1;
    else if (char === '}' || char === ']') depth -= 1;
  }
  return found;
}

/** Where the string that begins at a quote ends. */
function endOfString(json: string, from: number): number {
  for (let at = json.indexOf('"', from + 1); at !== -1; at = json.indexOf('"', at + 1)) {
    let slashes = 0;
    while (json[at - 1 - slashes] === '\\') slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return json.length;
}
