/** JSON in which every double comes back as it was: digits enough by the language's own rule, and a spelling for those JSON has no word for. */

const key = '$number';

/** Text of `value`, with a line break at the end. NaN, the infinities and -0 become { "$number": "NaN" } and so on. */
export function exactJson(value: unknown): string {
	const spelled = (_: string, inner: unknown) =>
		typeof inner === 'number' && !plain(inner) ? { [key]: Object.is(inner, -0) ? '-0' : `${inner}` } : inner;
	return `${JSON.stringify(value, spelled, '\t')}\n`;
}

/** The value again. Throws SyntaxError. */
export function parseExactJson(text: string): unknown {
	return JSON.parse(text, (_, inner) => {
		const spelling = typeof inner === 'object' && inner !== null ? inner[key] : undefined;
		return typeof spelling === 'string' && Object.keys(inner).length === 1 ? Number(spelling) : inner;
	});
}

const plain = (number: number) => Number.isFinite(number) && !Object.is(number, -0);
