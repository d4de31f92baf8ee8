/**
 * Likeness of texts from 64 bytes each: one-permutation MinHash (Li, Owen and Zhang, 2012) of the windows of five characters of a
 * normalised text, empty bins filled from others (Shrivastava, 2017). The share of equal bytes estimates the share of windows that two
 * texts have in common, to within .05 where four fifths are.
 */

export const SIGNATURE_BYTES = 64;

/** Two texts that share so many bytes are nearly the same: an estimated .8 of their windows. */
export const ALIKE_BYTES = 52;

const WINDOW = 5;
/** Below, a word more or less changes most of the windows. */
const MIN_WINDOWS = 20;
const EMPTY = 0xffffffff;

const BASE = 0x01000193;
/** BASE ** (WINDOW - 1), which takes the window's first character out again. */
const LEADING = Array.from({ length: WINDOW - 1 }).reduce<number>((product) => Math.imul(product, BASE), 1);

/** MurmurHash3's finalizer: every bit in changes half of the bits out. */
function mixed(value: number): number {
	let mix = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
	mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
	return (mix ^ (mix >>> 16)) >>> 0;
}

const bins = new Uint32Array(SIGNATURE_BYTES);

/** Writes the signature of a normalised text; false, and nothing written, where the text is too short to have one. */
export function sign(text: string, signature: Uint8Array): boolean {
	if (text.length < WINDOW - 1 + MIN_WINDOWS) return false;
	bins.fill(EMPTY);
	let window = 0;
	for (let at = 0; at < text.length; at++) {
		if (at >= WINDOW) window = (window - Math.imul(text.charCodeAt(at - WINDOW), LEADING)) | 0;
		window = (Math.imul(window, BASE) + text.charCodeAt(at)) | 0;
		if (at < WINDOW - 1) continue;
		const hash = mixed(window) >>> 1; // so that none is EMPTY
		const bin = hash % SIGNATURE_BYTES;
		if (hash < (bins[bin] as number)) bins[bin] = hash;
	}
	for (let bin = 0; bin < SIGNATURE_BYTES; bin++) signature[bin] = mixed(filled(bin)) & 0xff;
	return true;
}

/** The value of a bin, or of the first that is not empty in an order all its own. */
function filled(bin: number): number {
	let value = bins[bin] as number;
	for (let attempt = 1; value === EMPTY; attempt++) value = bins[mixed(bin * 0x10001 + attempt) % SIGNATURE_BYTES] as number;
	return value;
}

export function areAlike(a: Uint8Array, b: Uint8Array): boolean {
	let equal = 0;
	for (let at = 0; at < SIGNATURE_BYTES; at++) equal += Number(a[at] === b[at]);
	return equal >= ALIKE_BYTES;
}
