/** All metrics of a classifier, from its logits. */
import { setImmediate } from 'node:timers/promises';

import { type Decision, plainDecision } from '../model/decision.js';
import type { ClassMetrics, LabelMetrics } from '../train/events.js';
import { countMetrics, countRows, labelAverages } from './confusion.js';
import { probabilityMetrics } from './probabilistic.js';
import { type LabelRanking, rankingMetrics, rankLabel } from './ranking.js';
import { type LossShape, Probabilities, type ScoredRows } from './scored-rows.js';

export interface MetricsOptions extends LossShape {
	/** @default the largest logit says */
	readonly decision?: Decision;
}

/** `labels`: name of each class. Gives way to the event loop between labels, whose ranking takes longest. */
export async function metricsOf(rows: ScoredRows, labels: readonly string[], options: MetricsOptions = {}): Promise<ClassMetrics> {
	const { decision = plainDecision } = options;
	const probabilities = new Probabilities(rows, decision.temperature);
	const counts = countRows(probabilities, decision);
	const rankings: LabelRanking[] = [];
	for (const label of labels.keys()) {
		await setImmediate();
		rankings.push(rankLabel(probabilities, label, counts.actual));
	}
	const { loss, ...others } = probabilityMetrics(probabilities, options);
	const { accuracy, ...counted } = countMetrics(counts);
	const perLabel = labels.map((name, label): [string, LabelMetrics] => {
		const { rocAuc, averagePrecision } = rankings[label] as LabelRanking;
		return [name, { ...labelAverages(counts, label), support: counts.actual[label] as number, rocAuc, averagePrecision }];
	});
	return { loss, accuracy, ...counted, ...rankingMetrics(rankings, counts.actual), ...others, perLabel: Object.fromEntries(perLabel) };
}
