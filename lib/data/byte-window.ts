/** The bytes a parser was given, kept until it is known which rows they became: for lines of rows and for writing rows again. */
export class ByteWindow {
	#chunks: Buffer[] = [];
	/** Where the next byte to take stands in the first chunk, and in all bytes. */
	#inChunk = 0;
	#taken = 0;

	/** The same chunks, remembered as they pass. */
	async *through(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
		for await (const chunk of chunks) {
			this.#chunks.push(chunk);
			yield chunk;
		}
	}

	/** The bytes from where the last call ended to offset `end` of all bytes that passed; they are then forgotten. */
	take(end: number): Buffer {
		const pieces: Buffer[] = [];
		while (this.#taken < end) {
			const chunk = this.#chunks[0] as Buffer;
			const piece = chunk.subarray(this.#inChunk, this.#inChunk + end - this.#taken);
			pieces.push(piece);
			this.#taken += piece.length;
			this.#inChunk += piece.length;
			if (this.#inChunk < chunk.length) break;
			this.#chunks.shift();
			this.#inChunk = 0;
		}
		return pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
	}
}

const LF = 10;
const CR = 13;

/** Line breaks among these bytes: \n, \r\n and a lone \r each count once. */
export function lineBreaks(bytes: Buffer): number {
	let count = 0;
	for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) count += 1;
	for (let at = bytes.indexOf(CR); at !== -1; at = bytes.indexOf(CR, at + 1)) count += bytes[at + 1] === LF ? 0 : 1;
	return count;
}

/** Bytes of the blank lines these bytes begin with. */
export function leadingBlankLines(bytes: Buffer): number {
	let end = 0;
	while (bytes[end] === LF || bytes[end] === CR) end += 1;
	return end;
}
