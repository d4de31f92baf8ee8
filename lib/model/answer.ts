/** Logits to what a text is given: a label, labels or a number, with the probability of each label. */
import type { ProblemType } from './config.js';
import { argmax, classOf, type Decision, sigmoid, softmax } from './decision.js';

export interface RankedLabel {
	readonly label: string;
	/** Probability, from 0 to 1. */
	readonly score: number;
}

/** How much of a text was read. */
export interface TextExtent {
	/** Whether the text was cut to maxLength. */
	readonly truncated: boolean;
	/** Tokens of the text that were read, [CLS] and [SEP] included. */
	readonly tokens: number;
}

/** One label a text. */
export interface Prediction extends RankedLabel, TextExtent {
	/** Probability of every label; they sum to 1, unless they are the largest of several windows. */
	readonly scores: Readonly<Record<string, number>>;
}

/** Any number of labels a text. */
export interface MultiLabelPrediction extends TextExtent {
	/** Those with a probability above one half, or from the threshold on that was asked for, in the order of the model's labels. */
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

/** What a model has to say of a text. */
export interface Scores {
	/** Probability of each label, or the one number. */
	readonly values: readonly number[];
	/** Index of the label that is given where no threshold says otherwise. */
	readonly largest: number;
}

export function scoresOf(problemType: ProblemType, logits: Float32Array, { temperature }: Decision): Scores {
	const values = {
		single_label_classification: () => softmax(logits, temperature),
		multi_label_classification: () => Array.from(logits, sigmoid),
		regression: () => Array.from(logits),
	}[problemType]();
	return { values, largest: argmax(logits) };
}

/** A threshold is, of two labels, where the second is given from; of several labels, where each is. */
const verdicts: { readonly [Problem in ProblemType]: Verdict<Problem> } = {
	single_label_classification: ({ values, largest }, labels, decision) => {
		const best = classOf(largest, values[1] as number, decision);
		return { label: labels[best] as string, score: values[best] as number, scores: named(labels, values) };
	},
	multi_label_classification: ({ values }, labels, { threshold }) => {
		const isGiven = (score: number) => (threshold === null ? score > 0.5 : score >= threshold);
		return { labels: labels.filter((_, label) => isGiven(values[label] as number)), scores: named(labels, values) };
	},
	regression: ({ values }) => ({ value: values[0] as number }),
};
type Verdict<Problem extends ProblemType> = (
	scores: Scores,
	labels: readonly string[],
	decision: Decision,
) => Omit<PredictionOf[Problem], keyof TextExtent>;

const named = (labels: readonly string[], scores: readonly number[]): Record<string, number> =>
	Object.fromEntries(labels.map((label, id) => [label, scores[id] as number]));

export function predictionOf<Problem extends ProblemType>(
	problemType: Problem,
	scores: Scores,
	labels: readonly string[],
	decision: Decision,
	{ truncated, tokens }: TextExtent,
): PredictionOf[Problem] {
	const verdict: Verdict<Problem> = verdicts[problemType];
	return { ...verdict(scores, labels, decision), truncated, tokens } as PredictionOf[Problem];
}

/** Best first; equal scores in the order of the labels. */
export function ranked(labels: readonly string[], { values }: Scores): RankedLabel[] {
	return labels.map((label, id) => ({ label, score: values[id] as number })).sort((a, b) => b.score - a.score);
}
