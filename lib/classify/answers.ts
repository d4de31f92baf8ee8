/** What a text is given for the logits of its windows, as the caller asked for it. */
import { type PredictionOf, predictionOf, type RankedLabel, ranked, type Scores, scoresOf } from '../model/answer.js';
import type { ProblemType } from '../model/config.js';
import { argmax, type Decision } from '../model/decision.js';
import type { ScoredText } from './line.js';
import type { Limits, PredictOptions, Windows } from './options.js';

export function answerer(
	{ problemType, labels }: Omit<Limits, 'longest'>,
	own: Decision,
	{ topK, threshold, windows }: Pick<PredictOptions, 'topK' | 'threshold' | 'windows'>,
): (scored: ScoredText) => PredictionOf[ProblemType] | RankedLabel[] {
	const decision = threshold === undefined ? own : { ...own, threshold };
	return (scored) => {
		const scores = joined(problemType, scored, decision, windows?.aggregate);
		if (topK === undefined) return predictionOf(problemType, scores, labels, decision, scored);
		return ranked(labels, scores)
			.slice(0, topK)
			.filter(({ score }) => threshold === undefined || score >= threshold);
	};
}

/** The scores of a text, from those of its windows. */
function joined(problemType: ProblemType, { logits, windows }: ScoredText, decision: Decision, aggregate: Windows['aggregate'] = 'mean'): Scores {
	if (windows === 1) return scoresOf(problemType, logits, decision);
	const width = logits.length / windows;
	const values = new Array<number>(width).fill(aggregate === 'max' ? Number.NEGATIVE_INFINITY : 0);
	for (let window = 0; window < windows; window++) {
		const scores = scoresOf(problemType, logits.subarray(window * width, (window + 1) * width), decision).values;
		scores.forEach((score, label) => {
			const before = values[label] as number;
			values[label] = aggregate === 'max' ? Math.max(before, score) : before + score / windows;
		});
	}
	return { values, largest: argmax(values) };
}
