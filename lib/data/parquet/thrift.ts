/**
 * Thrift's compact protocol, as Parquet writes its footer and page headers in it, read within bounds: hyparquet's own reader takes
 * the lengths it finds at their word. https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
 */

export type ThriftValue = number | boolean | Uint8Array | readonly ThriftValue[] | ThriftStruct;

/** Values by field id. Integers beyond 2^53 are rounded: whoever uses one as an offset asks for a safe integer. */
export type ThriftStruct = ReadonlyMap<number, ThriftValue>;

/** What is not thrift, or asks for more than there is. Becomes a DataError where the file is known. */
export class Malformed extends Error {}

const MAX_DEPTH = 64;
/** Values of one struct, nested ones included: a footer of some hundred thousand column chunks. */
const MAX_VALUES = 4_000_000;

/** The struct that begins at `at`, and the offset of the byte after it. */
export function readStruct(bytes: Uint8Array, at: number): { readonly value: ThriftStruct; readonly end: number } {
	const reader = new Reader(bytes, at);
	const value = reader.struct(0);
	return { value, end: reader.at };
}

class Reader {
	readonly #bytes: Uint8Array;
	readonly #view: DataView;
	#values = 0;
	at: number;

	constructor(bytes: Uint8Array, at: number) {
		this.#bytes = bytes;
		this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
		this.at = at;
	}

	struct(depth: number): ThriftStruct {
		if (depth > MAX_DEPTH) throw new Malformed(`structures are nested more than ${MAX_DEPTH} deep`);
		const fields = new Map<number, ThriftValue>();
		let id = 0;
		for (;;) {
			const byte = this.#byte();
			const type = byte & 15;
			if (type === 0) return fields;
			id = byte >> 4 === 0 ? this.#integer() : id + (byte >> 4);
			fields.set(id, type === 1 || type === 2 ? type === 1 : this.#value(type, depth));
		}
	}

	#value(type: number, depth: number): ThriftValue {
		this.#values += 1;
		if (this.#values > MAX_VALUES) throw new Malformed(`there are more than ${MAX_VALUES} values`);
		switch (type) {
			case 1:
			case 2:
				return this.#byte() === 1; // of a list: in a struct the type itself is the value
			case 3:
				return this.#byte();
			case 4:
			case 5:
			case 6:
				return this.#integer();
			case 7:
				this.#skip(8);
				return this.#view.getFloat64(this.at - 8, true);
			case 8: {
				const length = this.#unsigned();
				this.#skip(length);
				return this.#bytes.subarray(this.at - length, this.at);
			}
			case 9:
				return this.#list(depth);
			case 12:
				return this.struct(depth + 1);
			default:
				throw new Malformed(`there is a value of the unknown type ${type}`);
		}
	}

	#list(depth: number): ThriftValue[] {
		if (depth > MAX_DEPTH) throw new Malformed(`structures are nested more than ${MAX_DEPTH} deep`);
		const byte = this.#byte();
		const size = byte >> 4 === 15 ? this.#unsigned() : byte >> 4;
		if (size > this.#bytes.length - this.at) throw new Malformed(`a list of ${size} has no room in the ${this.#bytes.length - this.at} bytes left`);
		return Array.from({ length: size }, () => this.#value(byte & 15, depth + 1));
	}

	#byte(): number {
		this.#skip(1);
		return this.#bytes[this.at - 1] as number;
	}

	#skip(length: number): void {
		if (length > this.#bytes.length - this.at) throw new Malformed('it ends inside a value');
		this.at += length;
	}

	/** Up to ten bytes of seven bits, the lowest first. */
	#unsigned(): number {
		let value = 0;
		for (let place = 0; place < 10; place++) {
			const byte = this.#byte();
			value += (byte & 0x7f) * 2 ** (7 * place);
			if (byte < 0x80) return value;
		}
		throw new Malformed('a number has more than ten bytes');
	}

	/** Zigzag: 0, -1, 1, -2, ... */
	#integer(): number {
		const value = this.#unsigned();
		return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
	}
}
