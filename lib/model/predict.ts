/** Texts to probabilities, over whatever gives logits: the predictor of a Classifier, the session of a Trainer. */
import type { RaggedBatch, RaggedEncoding } from '../runtime/native.js';
import type { ProblemType } from './config.js';
import { argmax, classOf, type Decision, plainDecision, sigmoid, softmax } from './decision.js';

export interface RankedLabel {
	readonly label: string;
	/** Probability, from 0 to 1. */
	readonly score: number;
}

/** How much of a text was read. */
export interface TextExtent {
	/** Whether the text was cut to maxLength. */
	readonly truncated: boolean;
	/** Tokens that were read, [CLS] and [SEP] included. */
	readonly tokens: number;
}

/** One label a text. */
export interface Prediction extends RankedLabel, TextExtent {
	/** Probability of every label; they sum to 1. */
	readonly scores: Readonly<Record<string, number>>;
}

/** Any number of labels a text. */
export interface MultiLabelPrediction extends TextExtent {
	/** Those with a probability above one half, in the order of the model's labels. */
	readonly labels: readonly string[];
	/** Probability of every label, each for itself. */
	readonly scores: Readonly<Record<string, number>>;
}

/** A number a text. */
export interface RegressionPrediction extends TextExtent {
	readonly value: number;
}

/** What a text is given, by kind of problem. */
export interface PredictionOf {
	readonly single_label_classification: Prediction;
	readonly multi_label_classification: MultiLabelPrediction;
	readonly regression: RegressionPrediction;
}

export interface Scorer {
	readonly encode: (texts: readonly string[]) => Promise<RaggedEncoding>;
	/** float32[rows * labels] */
	readonly logits: (batch: RaggedBatch) => Promise<Float32Array>;
	/** Asked between batches; throws to end the call. */
	readonly stopIfAborted: () => void;
}

export interface Predictor<Problem extends ProblemType> extends Scorer {
	readonly problemType: Problem;
	readonly labels: readonly string[];
	/** @default the largest logit says */
	readonly decision?: Decision;
}

export interface ScoredText extends TextExtent {
	/** One of each label. */
	readonly logits: Float32Array;
}

// Bounds memory: the widest buffers of a batch hold a few thousand floats a token.
const tokensPerBatch = 2048;
const textsPerEncoding = 256;

/** What the logits of a text say. */
const verdicts: { readonly [Problem in ProblemType]: Verdict<Problem> } = {
	single_label_classification: (logits, labels, decision) => {
		const probabilities = softmax(logits, decision.temperature);
		const best = classOf(argmax(logits), probabilities[1] as number, decision);
		return { label: labels[best] as string, score: probabilities[best] as number, scores: named(labels, probabilities) };
	},
	multi_label_classification: (logits, labels) => {
		const scores = named(labels, Array.from(logits, sigmoid));
		return { labels: labels.filter((_, label) => (logits[label] as number) > 0), scores };
	},
	regression: (logits) => ({ value: logits[0] as number }),
};
type Verdict<Problem extends ProblemType> = (
	logits: Float32Array,
	labels: readonly string[],
	decision: Decision,
) => Omit<PredictionOf[Problem], keyof TextExtent>;

const named = (labels: readonly string[], scores: readonly number[]): Record<string, number> =>
	Object.fromEntries(labels.map((label, id) => [label, scores[id] as number]));

/** One prediction a text, in order; it does not depend on the other texts. */
export async function predict<Problem extends ProblemType>(
	texts: readonly string[],
	{ problemType, labels, decision = plainDecision, ...scorer }: Predictor<Problem>,
): Promise<PredictionOf[Problem][]> {
	const predictions: PredictionOf[Problem][] = [];
	const verdict: Verdict<Problem> = verdicts[problemType];
	for await (const { logits, truncated, tokens } of score(texts, scorer)) {
		predictions.push({ ...verdict(logits, labels, decision), truncated, tokens } as PredictionOf[Problem]);
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
