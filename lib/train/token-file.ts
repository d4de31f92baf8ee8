/**
 * A data set as the model reads it, in a file: token ids, what the rows aim at, what was seen on the way. Numbers are little-endian,
 * positions in bytes.
 *
 *        0  magic 'DTTOKENS'
 *        8  uint32 version; uint32 bytes of an id: 2 where the vocabulary has at most 65,536 tokens, else 4
 *       16  uint64 rows, tokens, targets
 *       40  uint32 kind of a target: 0 for int32, 1 for float32; uint32 0
 *       48  uint64 bytes of the notes; uint64 0
 *       64  SHA-256 of all that follows, then of the 64 bytes before
 *       96  ids of all rows end to end: uint16 or int32, then zeros up to a multiple of 8
 *           uint64[rows + 1] offsets in tokens: row r is ids[offsets[r] .. offsets[r + 1])
 *           targets: int32[rows], or float32[rows * outputs]
 *           lines: int32[rows], where each row stands in the data
 *           JSON: the largest id, and notes
 */
import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';

import type { BaseAddon, RaggedEncoding, TokenLayout } from '../runtime/native.js';
import type { Examples } from './examples.js';
import { Int32List } from './int32-list.js';
import { largestIn, lengthsIn } from './tokens.js';

/** To be raised with any change of the format, and of what readers or the tokenizer make of the same bytes. */
export const TOKEN_FILE_VERSION = 1;

const MAGIC = 'DTTOKENS';
const FIELDS = 64;
const HEADER = 96;
const AT_ONCE = 2 ** 20;

export interface TokenFile<Notes> extends Examples {
	readonly notes: Notes;
}

/** What there is of the rows beside their tokens. */
export type RowFacts = Pick<Examples, 'targets' | 'lines'>;

/** What is no token file, or no longer a whole one. */
export class TokenFileDamaged extends Error {}

/** Positions in a file with these counts. */
function layoutOf(rows: number, tokens: number, idBytes: 2 | 4, targets: number, notesBytes: number) {
	const offsetsAt = Math.ceil((HEADER + tokens * idBytes) / 8) * 8;
	const targetsAt = offsetsAt + 8 * (rows + 1);
	const linesAt = targetsAt + 4 * targets;
	const notesAt = linesAt + 4 * rows;
	const layout: TokenLayout = { rows, tokens, idBytes, idsAt: HEADER, offsetsAt };
	return { layout, targetsAt, linesAt, notesAt, end: notesAt + notesBytes };
}

/** A file being written from its start. Methods throw the system's errors. */
export class TokenFileWriter {
	readonly path: string;
	readonly #handle: FileHandle;
	readonly #idBytes: 2 | 4;
	readonly #hash: Hash = createHash('sha256');
	readonly #lengths = new Int32List();
	#tokens = 0;
	#largestId = 0;
	#closed = false;

	private constructor(path: string, handle: FileHandle, idBytes: 2 | 4) {
		this.path = path;
		this.#handle = handle;
		this.#idBytes = idBytes;
	}

	/** The file must not be there yet. Only its owner may read it: it holds the texts, if not in letters. */
	static async create(path: string, vocabulary: number): Promise<TokenFileWriter> {
		const handle = await open(path, 'wx', 0o600);
		const writer = new TokenFileWriter(path, handle, vocabulary <= 2 ** 16 ? 2 : 4);
		await handle.appendFile(new Uint8Array(HEADER));
		return writer;
	}

	async add({ ids, offsets }: Pick<RaggedEncoding, 'ids' | 'offsets'>): Promise<void> {
		for (const length of lengthsIn(offsets)) this.#lengths.push(length);
		this.#tokens += ids.length;
		this.#largestId = largestIn(ids, this.#largestId);
		await this.#append(this.#idBytes === 2 ? Uint16Array.from(ids) : ids);
	}

	/** Flushes a whole file to the disk and closes it. */
	async finish({ targets, lines }: RowFacts, notes: Readonly<Record<string, unknown>>): Promise<void> {
		const lengths = this.#lengths.values();
		const notesBytes = Buffer.from(JSON.stringify({ largestId: this.#largestId, notes }));
		const { layout } = layoutOf(lengths.length, this.#tokens, this.#idBytes, targets.length, notesBytes.length);
		await this.#append(new Uint8Array(layout.offsetsAt - HEADER - this.#tokens * this.#idBytes));
		await this.#appendOffsets(lengths);
		for (const values of [targets, lines]) {
			for (let first = 0; first < values.length; first += AT_ONCE) await this.#append(values.subarray(first, first + AT_ONCE));
		}
		await this.#append(notesBytes);

		const header = new DataView(new ArrayBuffer(HEADER));
		for (let index = 0; index < MAGIC.length; index++) header.setUint8(index, MAGIC.charCodeAt(index));
		header.setUint32(8, TOKEN_FILE_VERSION, true);
		header.setUint32(12, this.#idBytes, true);
		header.setBigUint64(16, BigInt(lengths.length), true);
		header.setBigUint64(24, BigInt(this.#tokens), true);
		header.setBigUint64(32, BigInt(targets.length), true);
		header.setUint32(40, targets instanceof Float32Array ? 1 : 0, true);
		header.setBigUint64(48, BigInt(notesBytes.length), true);
		const bytes = new Uint8Array(header.buffer);
		bytes.set(this.#hash.update(bytes.subarray(0, FIELDS)).digest(), FIELDS);
		await this.#handle.write(bytes, 0, HEADER, 0);
		await this.#handle.sync();
		await this.#close();
	}

	/** Closes the file and removes it, unless it has another name by now. To be called in the end in any case. */
	async discard(): Promise<void> {
		await this.#close().catch(() => undefined);
		await rm(this.path, { force: true }).catch(() => undefined);
	}

	async #append({ buffer, byteOffset, byteLength }: ArrayBufferView): Promise<void> {
		const bytes = new Uint8Array(buffer, byteOffset, byteLength);
		this.#hash.update(bytes);
		await this.#handle.appendFile(bytes);
	}

	async #appendOffsets(lengths: Int32Array): Promise<void> {
		const words = new Uint32Array(2 * Math.min(lengths.length + 1, AT_ONCE / 8));
		let used = 0;
		let offset = 0;
		for (let row = 0; row <= lengths.length; row++) {
			words[used++] = offset;
			words[used++] = Math.floor(offset / 2 ** 32);
			offset += lengths[row] ?? 0;
			if (used < words.length) continue;
			await this.#append(words.subarray(0, used));
			used = 0;
		}
		await this.#append(words.subarray(0, used));
	}

	async #close(): Promise<void> {
		if (this.#closed) return;
		this.#closed = true;
		await this.#handle.close();
	}
}

export interface OpenOptions {
	readonly openTokenRows: BaseAddon['openTokenRows'];
	/** Whether every byte is held to the checksum: about 0.8 s a GB. Sizes always are. */
	readonly verify: boolean;
	/** Asked now and then; throws to end the reading. */
	readonly stopIfAborted: () => void;
}

/** Throws TokenFileDamaged, the system's errors, or what `stopIfAborted` throws. */
export async function openTokenFile<Notes>(path: string, { openTokenRows, verify, stopIfAborted }: OpenOptions): Promise<TokenFile<Notes>> {
	const handle = await open(path, 'r');
	try {
		const { size } = await handle.stat();
		const bytes = await readBytes(handle, 0, HEADER);
		const header = new DataView(bytes.buffer);
		const count = (at: number) => Number(header.getBigUint64(at, true));
		const [rows, tokens, targetCount, notesBytes] = [count(16), count(24), count(32), count(48)];
		const idBytes = header.getUint32(12, true) === 2 ? 2 : 4;
		const { layout, targetsAt, linesAt, notesAt, end } = layoutOf(rows, tokens, idBytes, targetCount, notesBytes);
		if (bytes.toString('latin1', 0, 8) !== MAGIC || header.getUint32(8, true) !== TOKEN_FILE_VERSION)
			throw new TokenFileDamaged('it does not begin as one');
		if (size !== end) throw new TokenFileDamaged(`it has ${size} bytes instead of ${end}`);
		if (verify) await requireChecksum(handle, bytes, size, stopIfAborted);

		const stored = await readBytes(handle, targetsAt, 4 * targetCount);
		const lines = await readBytes(handle, linesAt, 4 * rows);
		const TargetArray = header.getUint32(40, true) === 1 ? Float32Array : Int32Array;
		const { largestId, notes } = JSON.parse((await readBytes(handle, notesAt, notesBytes)).toString()) as { largestId: number; notes: Notes };
		const native = openTokenRows(path, layout);
		return {
			tokens: { rows, largestId, lengths: () => native.lengths(), read: (wanted) => native.read(wanted) },
			targets: new TargetArray(stored.buffer),
			lines: new Int32Array(lines.buffer),
			notes,
		};
	} finally {
		await handle.close();
	}
}

async function requireChecksum(handle: FileHandle, header: Buffer, size: number, stopIfAborted: () => void): Promise<void> {
	const hash = createHash('sha256');
	const buffer = Buffer.allocUnsafeSlow(AT_ONCE);
	for (let at = HEADER; at < size; ) {
		stopIfAborted();
		const { bytesRead } = await handle.read(buffer, 0, Math.min(AT_ONCE, size - at), at);
		if (bytesRead === 0) throw new TokenFileDamaged('it became shorter');
		hash.update(buffer.subarray(0, bytesRead));
		at += bytesRead;
	}
	if (!hash.update(header.subarray(0, FIELDS)).digest().equals(header.subarray(FIELDS))) throw new TokenFileDamaged('its checksum differs');
}

async function readBytes(handle: FileHandle, at: number, length: number): Promise<Buffer<ArrayBuffer>> {
	const bytes = Buffer.allocUnsafeSlow(length);
	for (let done = 0; done < length; ) {
		const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, 2 ** 30), at + done);
		if (bytesRead === 0) throw new TokenFileDamaged('it is cut short');
		done += bytesRead;
	}
	return bytes;
}
