/** The text of a stored file: hashed as it lies there, unpacked where its name ends in .gz, and checked to be UTF-8. */
import { checkedUtf8, fileBytes } from './bytes.js';
import { gunzipped } from './gzip.js';
import type { Reading } from './reading.js';

export const isGzip = (path: string): boolean => path.toLowerCase().endsWith('.gz');

interface StoredOptions extends Pick<Reading, 'hash' | 'onNotUtf8'> {
	readonly maxDecodedBytes: number;
	/** Whether a file of no bytes is a text. @default false */
	readonly mayBeEmpty?: boolean;
}

export function storedText(path: string, { hash, onNotUtf8, maxDecodedBytes, mayBeEmpty }: StoredOptions): AsyncGenerator<Buffer> {
	const stored = fileBytes(path, { mayBeEmpty });
	const known = hash === undefined ? stored : hashed(stored, hash);
	const unpacked = isGzip(path) ? gunzipped(known, path, maxDecodedBytes) : known;
	return checkedUtf8(unpacked, path, onNotUtf8 && ((offset) => onNotUtf8(path, offset)));
}

/** The same chunks, each told of as it passes. */
export async function* hashed(chunks: AsyncIterable<Buffer>, hash: (bytes: Uint8Array) => void): AsyncGenerator<Buffer> {
	for await (const chunk of chunks) {
		hash(chunk);
		yield chunk;
	}
}
