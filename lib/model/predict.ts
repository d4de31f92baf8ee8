/** Texts to predictions, one batch after another, over whatever gives logits: the session of a Trainer. */
import type { RaggedBatch, RaggedEncoding } from '../runtime/native.js';
import { type PredictionOf, predictionOf, scoresOf } from './answer.js';
import type { ProblemType } from './config.js';
import { plainDecision } from './decision.js';

export interface Predictor<Problem extends ProblemType> {
	readonly problemType: Problem;
	readonly labels: readonly string[];
	readonly encode: (texts: readonly string[]) => Promise<RaggedEncoding>;
	/** float32[rows * labels] */
	readonly logits: (batch: RaggedBatch) => Promise<Float32Array>;
	/** Asked between batches; throws to end the call. */
	readonly stopIfAborted: () => void;
}

// Bounds memory, the widest buffers of a batch holding a few thousand floats a token, and how long another call on the same native thread waits.
const tokensPerBatch = 512;
const textsPerEncoding = 256;

/** One prediction a text, in order; it does not depend on the other texts. */
export async function predict<Problem extends ProblemType>(
	texts: readonly string[],
	{ problemType, labels, encode, logits, stopIfAborted }: Predictor<Problem>,
): Promise<PredictionOf[Problem][]> {
	const predictions: PredictionOf[Problem][] = [];
	for (let from = 0; from < texts.length; from += textsPerEncoding) {
		stopIfAborted();
		const encoding = await encode(texts.slice(from, from + textsPerEncoding));
		for (const [first, end] of batches(encoding)) {
			stopIfAborted();
			const values = await logits(slice(encoding, first, end));
			const width = values.length / (end - first);
			for (let row = first; row < end; row++) {
				const scores = scoresOf(problemType, values.subarray((row - first) * width, (row - first + 1) * width), plainDecision);
				const tokens = (encoding.offsets[row + 1] as number) - (encoding.offsets[row] as number);
				predictions.push(predictionOf(problemType, scores, labels, plainDecision, { truncated: encoding.truncated[row] === 1, tokens }));
			}
		}
	}
	return predictions;
}

/** Ranges [first, end) of rows with at most tokensPerBatch tokens together, or one longer row. */
export function* batches({ offsets }: RaggedEncoding): Generator<[number, number]> {
	const rows = offsets.length - 1;
	for (let first = 0; first < rows; ) {
		let end = first + 1;
		while (end < rows && (offsets[end + 1] as number) - (offsets[first] as number) <= tokensPerBatch) end++;
		yield [first, end];
		first = end;
	}
}

/** These rows as a batch of their own. */
export function slice({ ids, offsets }: RaggedEncoding, first: number, end: number): RaggedBatch {
	const start = offsets[first] as number;
	return { ids: ids.slice(start, offsets[end]), offsets: offsets.slice(first, end + 1).map((offset) => offset - start) };
}
