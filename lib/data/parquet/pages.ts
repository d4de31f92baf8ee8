/**
 * The pages of a column chunk, looked through before hyparquet decodes them: it takes sizes, counts and runs at their word, and a few
 * bytes can name billions of values. https://parquet.apache.org/docs/file-format/data-pages/
 */
import { checkBlocks, checkRuns } from './runs.js';
import { Malformed, readStruct, type ThriftStruct } from './thrift.js';

/** Writers cut pages at about 1 MB. */
export const MAX_PAGE_BYTES = 64 * 2 ** 20;

/** What the values of a column look like, from the schema. */
export interface Levels {
	readonly type: string;
	/** Steps of its path that may be missing, and that may repeat. */
	readonly maxDefinition: number;
	readonly maxRepetition: number;
}

export interface Page {
	readonly kind: 'dictionary' | 'data' | 'data 2';
	/** Offset in the chunk where what is packed begins. */
	readonly body: number;
	readonly values: number;
	readonly encoding: string;
}

const ENCODINGS: Readonly<Record<number, string>> = {
	0: 'PLAIN',
	2: 'PLAIN_DICTIONARY',
	3: 'RLE',
	4: 'BIT_PACKED',
	5: 'DELTA_BINARY_PACKED',
	6: 'DELTA_LENGTH_BYTE_ARRAY',
	7: 'DELTA_BYTE_ARRAY',
	8: 'RLE_DICTIONARY',
	9: 'BYTE_STREAM_SPLIT',
};

/** An encoding that is not read. DELTA_BYTE_ARRAY is left out: each value may repeat the whole of the one before. */
export class UnknownEncoding extends Error {
	constructor(readonly encoding: string) {
		super(`the encoding ${encoding} is not read`);
	}
}

export interface ChunkLimits {
	readonly values: number;
	/** Values a chunk may have at most: what it is asked for is allocated. */
	readonly maxValues: number;
	readonly unpackedBytes: number;
}

/** Every page up to the chunk's last value, and the offset where they end. */
export function pagesOf(chunk: Uint8Array, levels: Levels, limits: ChunkLimits): { readonly pages: readonly Page[]; readonly end: number } {
	if (limits.values > limits.maxValues)
		throw new Malformed(`a column chunk claims ${limits.values} values, more than the ${limits.maxValues} it may have`);
	const pages: Page[] = [];
	let at = 0;
	let values = 0;
	let unpacked = 0;
	let hasDictionary = false;
	while (values < limits.values) {
		if (at >= chunk.length) throw new Malformed(`a column chunk ends after ${values} of ${limits.values} values`);
		const { value: header, end } = readStruct(chunk, at);
		const packedBytes = within(header.get(3), chunk.length - end, 'packed bytes of a page');
		const pageBytes = within(header.get(2), MAX_PAGE_BYTES, 'bytes of a page');
		unpacked += pageBytes + end - at;
		if (unpacked > limits.unpackedBytes) throw new Malformed(`pages unpack to more than the ${limits.unpackedBytes} bytes their column chunk claims`);
		const page = pageOf(header, chunk.subarray(end, end + packedBytes), end, levels, limits.values - values);
		if (page.kind !== 'dictionary') values += page.values;
		else if (hasDictionary || values > 0) throw new Malformed('a column chunk has a dictionary where none belongs');
		else hasDictionary = true;
		if (page.encoding.endsWith('_DICTIONARY') && !hasDictionary) throw new Malformed('a page refers to a dictionary that is not there');
		pages.push(page);
		at = end + packedBytes;
	}
	return { pages, end: at };
}

function pageOf(header: ThriftStruct, packed: Uint8Array, at: number, levels: Levels, maxValues: number): Page {
	switch (header.get(1)) {
		case 0: {
			const data = struct(header, 5);
			const values = within(data.get(1), maxValues, 'values of a page');
			if (levels.maxDefinition > 0 && data.get(3) !== 3) throw new UnknownEncoding(encodingOf(data.get(3)));
			return { kind: 'data', body: at, values, encoding: readable(encodingOf(data.get(2)), levels.type) };
		}
		case 2: {
			const dictionary = struct(header, 7);
			// Plain values under either name.
			return { kind: 'dictionary', body: at, values: within(dictionary.get(1), 8 * MAX_PAGE_BYTES, 'values of a dictionary'), encoding: 'PLAIN' };
		}
		case 3: {
			const data = struct(header, 8);
			const values = within(data.get(1), maxValues, 'values of a page');
			within(data.get(2), values, 'missing values of a page');
			const definitions = within(data.get(5), packed.length, 'bytes of levels');
			const repetitions = within(data.get(6), packed.length - definitions, 'bytes of levels');
			within(definitions + repetitions, header.get(2) as number, 'bytes of levels');
			if (levels.maxRepetition > 0) checkRuns(packed, 0, repetitions, widthOf(levels.maxRepetition), values, 'all');
			if (levels.maxDefinition > 0) checkRuns(packed, repetitions, repetitions + definitions, widthOf(levels.maxDefinition), values, 'all');
			const page: Page = {
				kind: 'data 2',
				body: at + repetitions + definitions,
				values,
				encoding: readable(encodingOf(data.get(4)), levels.type),
			};
			if (data.get(7) === false) checkBody(page, packed.subarray(repetitions + definitions), levels);
			return page;
		}
		default:
			throw new Malformed(`there is a page of the unknown type ${header.get(1)}`);
	}
}

/** Looks through an unpacked page, of the second version without its levels. */
export function checkBody({ kind, values, encoding }: Page, bytes: Uint8Array, { type, maxDefinition, maxRepetition }: Levels): void {
	if (kind === 'dictionary') return;
	let at = 0;
	if (kind === 'data') {
		for (const max of [maxRepetition, maxDefinition]) {
			if (max > 0) at = checkLevels(bytes, at, widthOf(max), values);
		}
	}
	if (encoding === 'RLE') checkRuns(bytes, at + 4, bytes.length, 1, values, 'some'); // after their size, which decoding does not stop at
	if (encoding.endsWith('_DICTIONARY')) {
		const width = bytes[at] ?? 0; // a page of missing values only may end here
		if (width > 32) throw new Malformed(`a page has dictionary indices of ${width} bits`);
		checkRuns(bytes, at + 1, bytes.length, width, values, 'some');
	}
	if (encoding.startsWith('DELTA_')) checkBlocks(bytes, at);
	if (encoding === 'BYTE_STREAM_SPLIT' && type === 'FIXED_LEN_BYTE_ARRAY') throw new UnknownEncoding(`BYTE_STREAM_SPLIT of ${type}`);
}

/** Levels begin with the number of their bytes; returns where they end. */
function checkLevels(bytes: Uint8Array, at: number, width: number, values: number): number {
	const room = bytes.length - at - 4;
	const length = room < 0 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
	if (length > room) throw new Malformed('the levels of a page are longer than the page');
	checkRuns(bytes, at + 4, at + 4 + length, width, values, 'all');
	return at + 4 + length;
}

const widthOf = (max: number): number => 32 - Math.clz32(max);

const encodingOf = (value: unknown): string => ENCODINGS[value as number] ?? `${value}`;

function readable(encoding: string, type: string): string {
	const known = ['PLAIN', 'BYTE_STREAM_SPLIT', 'DELTA_BINARY_PACKED', 'DELTA_LENGTH_BYTE_ARRAY'].includes(encoding);
	if (known || (encoding.endsWith('_DICTIONARY') && type !== 'BOOLEAN') || (encoding === 'RLE' && type === 'BOOLEAN')) return encoding;
	throw new UnknownEncoding(encoding);
}

function struct(header: ThriftStruct, id: number): ThriftStruct {
	const value = header.get(id);
	if (value instanceof Map) return value;
	throw new Malformed('a page header says nothing of its page');
}

function within(value: unknown, most: number, what: string): number {
	if (typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= most) return value;
	throw new Malformed(`there are ${typeof value === 'number' ? value : 'no'} ${what} where at most ${most} can be`);
}
