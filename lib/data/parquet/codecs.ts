/** How pages are packed. Each codec gives exactly the bytes its page header names, or throws. */
import { brotliDecompressSync, gunzipSync } from 'node:zlib';

import { Malformed } from './thrift.js';

/** Unpacks `packed` to `size` bytes in memory of their own. */
export type Unpack = (packed: Uint8Array, size: number) => Uint8Array;

/** undefined where it is not read. LZ4 is left out: its Parquet flavours disagree, and its JavaScript decoders know no bounds. */
export async function codecOf(name: string): Promise<Unpack | undefined> {
	switch (name) {
		case 'UNCOMPRESSED':
			return exactly((packed) => packed);
		case 'GZIP':
			return exactly((packed, size) => gunzipSync(packed, { maxOutputLength: Math.max(size, 1) }));
		case 'BROTLI':
			return exactly((packed, size) => brotliDecompressSync(packed, { maxOutputLength: Math.max(size, 1) }));
		case 'SNAPPY': {
			// WebAssembly: whatever a page makes it do stays in its own memory. hyparquet's own decoder can be made to run for minutes.
			const { snappyUncompressor } = await import('hysnappy');
			const uncompress = snappyUncompressor();
			return exactly((packed, size) => {
				// hysnappy takes the size from the page, not from us.
				if (declaredSize(packed) !== size) throw new Malformed(`a page names ${size} bytes in its header and ${declaredSize(packed)} inside`);
				return uncompress(packed, size);
			});
		}
		case 'ZSTD': {
			const { decompress } = await import('fzstd');
			return exactly((packed, size) => decompress(packed, new Uint8Array(size)));
		}
		default:
			return undefined;
	}
}

function exactly(unpack: Unpack): Unpack {
	return (packed, size) => {
		if (size === 0) return new Uint8Array();
		let bytes: Uint8Array;
		try {
			bytes = unpack(packed, size);
		} catch (cause) {
			throw cause instanceof Malformed ? cause : new Malformed(`a page of ${size} bytes cannot be unpacked (${(cause as Error).message})`);
		}
		if (bytes.length !== size) throw new Malformed(`a page unpacks to ${bytes.length} bytes instead of ${size}`);
		// Readers of values look past the end of a view, not of the memory behind it.
		return bytes.byteLength === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes);
	};
}

/** Snappy's preamble: the size in up to five bytes of seven bits. */
function declaredSize(packed: Uint8Array): number {
	let size = 0;
	for (const [place, byte] of packed.subarray(0, 5).entries()) {
		size += (byte & 0x7f) * 2 ** (7 * place);
		if (byte < 0x80) return size;
	}
	return -1;
}
