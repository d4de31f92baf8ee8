/** Numbers as Python rounds and writes them, where Transformers' files show them. */

/** Python's round(value, digits): exact ties go to the even neighbour, where toFixed goes up. */
export function roundTo(value: number, digits: number): number {
	const text = Math.abs(value).toFixed(digits);
	const tie = Math.abs((value * 2 ** (digits + 1)) % 2) === 1; // the only ties binary can hold: odd multiples of 2^-(digits + 1)
	const last = Number(text.at(-1));
	const even = tie && last % 2 === 1 ? `${text.slice(0, -1)}${last - 1}` : text;
	return Math.sign(value) * Number(even);
}

/** repr(float): 3.0 for 3, 1e-05, NaN, Infinity; exponents below 1e-4 and from 1e16 on. */
export function floatText(value: number): string {
	if (!Number.isFinite(value)) return String(value);
	const size = Math.abs(value);
	if (size !== 0 && (size < 1e-4 || size >= 1e16)) return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
	return Number.isInteger(value) ? `${value}.0` : String(value);
}
