/** A text's tokens as the rows a model reads: one, or overlapping windows of a text that is longer than a row. */

/** A row, or a part of one, to be classified. */
export interface Piece {
	/** All ids of the text, [CLS] first and [SEP] last. */
	readonly ids: Int32Array;
	/** Part of `ids` that is read. */
	readonly start: number;
	readonly end: number;
	/** Whether [CLS] and [SEP] of the text are put around the part. */
	readonly framed: boolean;
}

/** What a row holds beside the tokens of the text: [CLS] and [SEP]. */
export const frameTokens = 2;

export const tokensOf = ({ start, end, framed }: Piece): number => end - start + (framed ? frameTokens : 0);

/**
 * Rows of at most `maxLength` tokens that together hold the whole text, [CLS] and [SEP] around each; neighbours share `stride` tokens of
 * the text, 0 to maxLength - 3. The same rows as Transformers' tokenizers give with return_overflowing_tokens and stride.
 */
export function windowsOf(ids: Int32Array, maxLength: number, stride: number): Piece[] {
	if (ids.length <= maxLength) return [wholeRow(ids)];
	const size = maxLength - frameTokens;
	const last = ids.length - 1;
	const pieces: Piece[] = [];
	for (let start = 1; ; start += size - stride) {
		const end = Math.min(start + size, last);
		pieces.push({ ids, start, end, framed: true });
		if (end === last) return pieces;
	}
}

export const wholeRow = (ids: Int32Array): Piece => ({ ids, start: 0, end: ids.length, framed: false });

/** Rows laid end to end. */
export function raggedOf(pieces: readonly Piece[]): { readonly ids: Int32Array; readonly offsets: Int32Array } {
	const offsets = new Int32Array(pieces.length + 1);
	pieces.forEach((piece, row) => {
		offsets[row + 1] = (offsets[row] as number) + tokensOf(piece);
	});
	const all = new Int32Array(offsets[pieces.length] as number);
	pieces.forEach(({ ids, start, end, framed }, row) => {
		const place = offsets[row] as number;
		all.set(ids.subarray(start, end), place + (framed ? 1 : 0));
		if (!framed) return;
		all[place] = ids[0] as number;
		all[(offsets[row + 1] as number) - 1] = ids[ids.length - 1] as number;
	});
	return { ids: all, offsets };
}
