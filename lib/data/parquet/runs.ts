/** Runs and blocks of packed numbers, walked without unpacking them. https://parquet.apache.org/docs/file-format/data-pages/encodings/ */
import { Malformed } from './thrift.js';

/**
 * Refuses runs (of one value repeated, or of groups of eight packed values) in bytes [at, end) that hold more than `values` values of
 * `width` bits, or, where all are needed, fewer.
 */
export function checkRuns(bytes: Uint8Array, at: number, end: number, width: number, values: number, needed: 'all' | 'some'): void {
	let next = at;
	let seen = 0;
	while (seen < values && next < end) {
		const header = unsigned(bytes, next, end);
		const isPacked = header.value % 2 === 1;
		const count = Math.floor(header.value / 2) * (isPacked ? 8 : 1);
		next = header.end + (isPacked ? (count / 8) * width : Math.ceil(width / 8));
		// The last groups of eight may be filled up: by 7 values, or, as DuckDB does, by as many as there are bits for.
		const isFilledUp = isPacked && (count <= values - seen + 7 || (width > 0 && next <= end));
		if (count > values - seen && !isFilledUp) throw new Malformed(`a run of ${count} goes past the ${values} values of its page`);
		seen += count;
	}
	if (needed === 'all' && seen < values) throw new Malformed(`a page has levels for ${seen} of its ${values} values`);
}

/** Refuses a header of delta-packed blocks that leads nowhere: sizes as the format allows, within reason. */
export function checkBlocks(bytes: Uint8Array, at: number): void {
	if (at === bytes.length) return; // a page of missing values only
	const block = unsigned(bytes, at, bytes.length);
	const parts = unsigned(bytes, block.end, bytes.length);
	const each = block.value / parts.value;
	if (block.value % 128 === 0 && block.value > 0 && block.value <= 2 ** 20 && Number.isInteger(each) && each % 32 === 0) return;
	throw new Malformed(`a page has blocks of ${block.value} values in ${parts.value} parts`);
}

/** Up to five bytes of seven bits, the lowest first. */
function unsigned(bytes: Uint8Array, at: number, end: number): { readonly value: number; readonly end: number } {
	let value = 0;
	for (let place = 0; place < 5; place++) {
		if (at + place >= end) throw new Malformed('a page ends inside a number');
		const byte = bytes[at + place] as number;
		value += (byte & 0x7f) * 2 ** (7 * place);
		if (byte < 0x80) return { value, end: at + place + 1 };
	}
	throw new Malformed('a number in a page has more than five bytes');
}
