/**
 * The rows of a JSON document, cut out of its bytes one at a time, each for JSON.parse to read. Own code because a streaming parser
 * would have to bound memory, survive any nesting and know the line of each row: the well-kept ones do not (stream-json says that
 * hostile input is not for it).
 */
import type { DataError } from '../errors.js';
import { MAX_ROW_BYTES } from './bytes.js';
import { type Origin, rowError } from './row.js';

const LF = 0x0a;
const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const isSpace = (byte: number) => byte === 0x20 || byte === LF || byte === 0x0d || byte === 0x09;

/** What a byte is to the element being read: no part of any, part of one, or the first after it. */
enum Role {
	Outside,
	Part,
	After,
}

export interface Element {
	readonly bytes: Buffer;
	/** 1-based line it begins on. */
	readonly line: number;
}

/**
 * Elements of the array the document is, or of the array under "data" where it is an object. Throws JSON_INVALID where brackets,
 * commas or the ending are wrong, ROW_TOO_LONG beyond 16 MB; what stands inside an element is not looked at.
 */
export async function* elements(chunks: AsyncIterable<Buffer>, origin: Origin): AsyncGenerator<Element> {
	const scanner = new Scanner(origin);
	let pieces: Buffer[] = [];
	let length = 0;
	let line = 0;
	let inside = false;
	for await (const chunk of chunks) {
		let start = 0;
		for (let at = 0; at < chunk.length; at++) {
			const role = scanner.step(chunk[at] as number);
			if (role === Role.Part && !inside) {
				inside = true;
				start = at;
				line = scanner.line;
			} else if (role === Role.After) {
				yield { bytes: withoutTrailingSpace(Buffer.concat([...pieces, chunk.subarray(start, at)])), line };
				inside = false;
				pieces = [];
				length = 0;
			}
		}
		if (!inside) continue;
		pieces.push(chunk.subarray(start));
		length += chunk.length - start;
		if (length > MAX_ROW_BYTES) throw rowError('ROW_TOO_LONG', origin, line, 'the row is longer than 16 MB');
	}
	scanner.end();
}

function withoutTrailingSpace(bytes: Buffer): Buffer {
	let end = bytes.length;
	while (isSpace(bytes[end - 1] as number)) end -= 1;
	return bytes.subarray(0, end);
}

class Scanner {
	/** Of the byte last looked at. */
	line = 1;
	readonly #origin: Origin;
	/** Brackets open. */
	#depth = 0;
	/** Depth at which elements lie; 0 while their array has not begun. */
	#elementDepth = 0;
	#inElement = false;
	#afterComma = false;
	#inString = false;
	#escaped = false;
	/** In an object around the array: the string last begun, and whether a colon came after it. */
	#key = '';
	#afterColon = false;
	/** The array, and the whole document, have been closed. */
	#arrayClosed = false;
	#closed = false;

	constructor(origin: Origin) {
		this.#origin = origin;
	}

	step(byte: number): Role {
		if (byte === LF) this.line += 1;
		if (this.#inString) return this.#stepString(byte);
		if (isSpace(byte)) return this.#inElement ? Role.Part : Role.Outside;
		if (this.#depth === 0) return this.#stepRoot(byte);
		if (this.#elementDepth === 0 || this.#arrayClosed) return this.#stepAround(byte);
		if (this.#depth === this.#elementDepth) {
			if (byte === COMMA) return this.#endElement(true);
			if (byte === CLOSE_LIST) {
				this.#depth -= 1;
				this.#arrayClosed = true;
				this.#closed = this.#depth === 0;
				return this.#inElement || this.#afterComma ? this.#endElement(false) : Role.Outside;
			}
			if (byte === CLOSE_OBJECT) throw this.#error('expected the array of rows to end with ]');
		}
		this.#inElement = true;
		this.#afterComma = false;
		this.#nest(byte);
		return Role.Part;
	}

	/** Refuses an ending before the document's. */
	end(): void {
		if (!this.#closed) throw this.#error('the document ends before its last bracket is closed');
		if (this.#elementDepth === 0) throw this.#error('expected an array of rows, or an object with one under "data"');
	}

	#stepString(byte: number): Role {
		if (this.#escaped) this.#escaped = false;
		else if (byte === BACKSLASH) this.#escaped = true;
		else if (byte === QUOTE) this.#inString = false;
		else if (!this.#inElement && this.#key.length < 5) this.#key += String.fromCharCode(byte);
		return this.#inElement ? Role.Part : Role.Outside;
	}

	#stepRoot(byte: number): Role {
		if (this.#closed) throw this.#error('something stands after the end of the document');
		if (byte !== OPEN_LIST && byte !== OPEN_OBJECT) throw this.#error('expected an array of rows, or an object with one under "data"');
		this.#depth = 1;
		if (byte === OPEN_LIST) this.#elementDepth = 1;
		return Role.Outside;
	}

	#stepAround(byte: number): Role {
		if (byte === OPEN_LIST && this.#depth === 1 && this.#afterColon && this.#key === 'data' && !this.#arrayClosed) {
			this.#depth = this.#elementDepth = 2;
			return Role.Outside;
		}
		if (byte === QUOTE) this.#key = '';
		this.#afterColon = byte === COLON;
		this.#nest(byte);
		this.#closed = this.#depth === 0;
		return Role.Outside;
	}

	#endElement(afterComma: boolean): Role {
		if (!this.#inElement) throw this.#error('expected a row, got nothing between two commas or after the last');
		this.#inElement = false;
		this.#afterComma = afterComma;
		return Role.After;
	}

	#nest(byte: number): void {
		if (byte === QUOTE) this.#inString = true;
		else if (byte === OPEN_LIST || byte === OPEN_OBJECT) this.#depth += 1;
		else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) this.#depth -= 1;
	}

	#error(sentence: string): DataError {
		return rowError('JSON_INVALID', this.#origin, this.line, sentence);
	}
}
