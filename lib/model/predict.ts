/** Texts to probabilities, over whatever gives logits: the predictor of a Classifier, the session of a Trainer. */
import type { RaggedBatch, RaggedEncoding } from '../runtime/native.js';
import { argmax, classOf, type Decision, plainDecision, softmax } from './decision.js';

export interface RankedLabel {
	readonly label: string;
	/** Probability, from 0 to 1. */
	readonly score: number;
}

export interface Prediction extends RankedLabel {
	/** Probability of every label; they sum to 1. */
	readonly scores: Readonly<Record<string, number>>;
	/** Whether the text was cut to maxLength. */
	readonly truncated: boolean;
	/** Tokens that were read, [CLS] and [SEP] included. */
	readonly tokens: number;
}

export interface Scorer {
	readonly encode: (texts: readonly string[]) => Promise<RaggedEncoding>;
	/** float32[rows * labels] */
	readonly logits: (batch: RaggedBatch) => Promise<Float32Array>;
	/** Asked between batches; throws to end the call. */
	readonly stopIfAborted: () => void;
}

export interface Predictor extends Scorer {
	readonly labels: readonly string[];
	/** @default the largest logit says */
	readonly decision?: Decision;
}

export interface ScoredText extends Pick<Prediction, 'truncated' | 'tokens'> {
	/** One of each label. */
	readonly logits: Float32Array;
}

// Bounds memory: the widest buffers of a batch hold a few thousand floats a token.
const tokensPerBatch = 2048;
const textsPerEncoding = 256;

/** One prediction a text, in order; it does not depend on the other texts. */
export async function predict(texts: readonly string[], { labels, decision = plainDecision, ...scorer }: Predictor): Promise<Prediction[]> {
	const predictions: Prediction[] = [];
	for await (const { logits, truncated, tokens } of score(texts, scorer)) {
		const probabilities = softmax(logits, decision.temperature);
		const best = classOf(argmax(logits), probabilities[1] as number, decision);
		const scores = Object.fromEntries(labels.map((label, id) => [label, probabilities[id] as number]));
		predictions.push({ label: labels[best] as string, score: probabilities[best] as number, scores, truncated, tokens });
	}
	return predictions;
}

/** The logits of each text, in order. */
export async function* score(texts: readonly string[], { encode, logits, stopIfAborted }: Scorer): AsyncGenerator<ScoredText> {
	for (let from = 0; from < texts.length; from += textsPerEncoding) {
		stopIfAborted();
		const encoding = await encode(texts.slice(from, from + textsPerEncoding));
		for (const [first, end] of batches(encoding)) {
			stopIfAborted();
			const values = await logits(slice(encoding, first, end));
			const width = values.length / (end - first);
			for (let row = first; row < end; row++) {
				yield {
					logits: values.subarray((row - first) * width, (row - first + 1) * width),
					truncated: encoding.truncated[row] === 1,
					tokens: (encoding.offsets[row + 1] as number) - (encoding.offsets[row] as number),
				};
			}
		}
	}
}

/** Best first; equal scores in the order of the labels. */
export function ranked(labels: readonly string[], scores: Prediction['scores']): RankedLabel[] {
	return labels.map((label) => ({ label, score: scores[label] as number })).sort((a, b) => b.score - a.score);
}

/** Ranges [first, end) of rows with at most tokensPerBatch tokens together, or one longer row. */
function* batches({ offsets }: RaggedEncoding): Generator<[number, number]> {
	const rows = offsets.length - 1;
	for (let first = 0; first < rows; ) {
		let end = first + 1;
		while (end < rows && (offsets[end + 1] as number) - (offsets[first] as number) <= tokensPerBatch) end++;
		yield [first, end];
		first = end;
	}
}

function slice({ ids, offsets }: RaggedEncoding, first: number, end: number): RaggedBatch {
	const start = offsets[first] as number;
	return { ids: ids.slice(start, offsets[end]), offsets: offsets.slice(first, end + 1).map((offset) => offset - start) };
}
