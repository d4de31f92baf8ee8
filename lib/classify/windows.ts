/** A text's tokens as the rows a model reads: one, or overlapping windows of a text that is longer than a row. */

/** Part of the ids of a text that is a row by itself, or one with [CLS] and [SEP] around it. */
export interface Piece {
	/** May hold other texts too. */
	readonly ids: Int32Array;
	readonly start: number;
	readonly end: number;
	/** What is put before and behind it. */
	readonly frame: readonly [number, number] | undefined;
}

/** What a row holds beside the tokens of the text: [CLS] and [SEP]. */
const frameTokens = 2;

export const tokensOf = ({ start, end, frame }: Piece): number => end - start + (frame === undefined ? 0 : frameTokens);

/**
 * Rows of at most `maxLength` tokens that together hold the text ids[start] to ids[end], whose first is [CLS] and whose last is [SEP]; both
 * stand around each row, and neighbours share `stride` tokens of the text, 0 to maxLength - 3. The same rows as Transformers' tokenizers
 * give with return_overflowing_tokens and stride.
 */
export function windowsOf(ids: Int32Array, start: number, end: number, maxLength: number, stride: number): Piece[] {
	if (end - start <= maxLength) return [{ ids, start, end, frame: undefined }];
	const last = end - 1;
	const frame = [ids[start] as number, ids[last] as number] as const;
	const size = maxLength - frameTokens;
	const pieces: Piece[] = [];
	for (let from = start + 1; ; from += size - stride) {
		const to = Math.min(from + size, last);
		pieces.push({ ids, start: from, end: to, frame });
		if (to === last) return pieces;
	}
}

/** Rows laid end to end. */
export function raggedOf(pieces: readonly Piece[]): { readonly ids: Int32Array; readonly offsets: Int32Array } {
	const offsets = new Int32Array(pieces.length + 1);
	pieces.forEach((piece, row) => {
		offsets[row + 1] = (offsets[row] as number) + tokensOf(piece);
	});
	const all = new Int32Array(offsets[pieces.length] as number);
	pieces.forEach(({ ids, start, end, frame }, row) => {
		const place = offsets[row] as number;
		all.set(ids.subarray(start, end), place + (frame === undefined ? 0 : 1));
		if (frame === undefined) return;
		all[place] = frame[0];
		all[(offsets[row + 1] as number) - 1] = frame[1];
	});
	return { ids: all, offsets };
}
