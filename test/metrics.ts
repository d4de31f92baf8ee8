import { metricsOf } from '../lib/report/metrics.js';
import { ScoredRows } from '../lib/report/scored-rows.js';
import type { Metrics } from '../lib/train/events.js';

/** Rows of logits, with the class of each. */
export function scored(logits: readonly (readonly number[])[], classes: readonly number[], width = logits[0]?.length ?? 2): ScoredRows {
	const rows = new ScoredRows(width);
	rows.add(Float32Array.from(logits.flat()), classes);
	return rows;
}

export const labelsOf = (width: number) => Array.from({ length: width }, (_, index) => `label ${index}`);

/** Whole metrics where a test looks at a few of them. */
export async function someMetrics(given: Partial<Metrics> = {}): Promise<Metrics> {
	return { ...(await metricsOf(scored([[1, 0]], [0]), labelsOf(2))), ...given };
}
