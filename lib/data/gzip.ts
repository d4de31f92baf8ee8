/** gzip, unpacked as it streams by, within bounds: a few kilobytes can be made to unpack to any size. */
import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

import { DataError } from '../errors.js';

/** Text shrinks three- to tenfold; a file that grows by more than this is made to. Not asked of the first bytes, where a short run may. */
const MAX_RATIO = 200;
const RATIO_FREE_BYTES = 16 * 2 ** 20;

/** Unpacking goes on at most to `maxDecodedBytes`. Throws GZIP_DAMAGED, GZIP_RATIO, DECODED_TOO_LARGE. */
export async function* gunzipped(chunks: AsyncIterable<Buffer>, file: string, maxDecodedBytes: number): AsyncGenerator<Buffer> {
	let packed = 0;
	async function* counted(): AsyncGenerator<Buffer> {
		for await (const chunk of chunks) {
			packed += chunk.length;
			yield chunk;
		}
	}
	const gunzip = createGunzip();
	// Failures of the source reach the loop below through gunzip, which the pipeline destroys with them.
	pipeline(Readable.from(counted()), gunzip, () => {});

	let unpacked = 0;
	try {
		for await (const chunk of gunzip as AsyncIterable<Buffer>) {
			unpacked += chunk.length;
			if (unpacked > RATIO_FREE_BYTES && unpacked > MAX_RATIO * packed) {
				throw new DataError('GZIP_RATIO', `${file} unpacks to more than ${MAX_RATIO} times its size, as no text does`, {
					file,
					hint: 'if it is what it should be, unpack it with gunzip first',
				});
			}
			if (unpacked > maxDecodedBytes) throw decodedTooLarge(file, maxDecodedBytes);
			yield chunk;
		}
	} catch (cause) {
		if (cause instanceof DataError) throw cause;
		throw new DataError('GZIP_DAMAGED', `Expected ${file} to be gzip, but unpacking it failed: ${(cause as Error).message}`, { file, cause });
	}
}

export function decodedTooLarge(file: string, maxDecodedBytes: number): DataError {
	return new DataError('DECODED_TOO_LARGE', `${file} unpacks to more than ${maxDecodedBytes} bytes`, {
		file,
		hint: 'set maxDecodedBytes of the Dataset if it is what it should be',
	});
}
