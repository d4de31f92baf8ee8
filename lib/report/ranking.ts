/** How well the probability of a label ranks its rows before the others: areas under the ROC and precision-recall curves. */
import type { ClassMetrics } from '../train/events.js';
import type { Probabilities } from './scored-rows.js';

export interface LabelRanking {
	/** Share of the pairs (row of the label, row of another) that are ranked right, ties counting one half. null where there is no pair. */
	readonly rocAuc: number | null;
	/** The mean of the same share against the rows of each other label alone. null where a label has no row. */
	readonly againstEach: number | null;
	/** Sum over the thresholds of precision times the recall gained, without interpolation. null where no row has the label. */
	readonly averagePrecision: number | null;
}

/**
 * Ranks the rows by the probability of one label. `support`: rows of each label. Takes O(n log n) for n rows; the rows of the label
 * are sorted, 12 bytes each, and the others looked up among them. All are null where a probability is not a number.
 */
export function rankLabel(probabilities: Probabilities, label: number, support: Float64Array): LabelRanking {
	const { rows, areNumbers } = probabilities;
	if (!areNumbers) return { rocAuc: null, againstEach: null, averagePrecision: null };
	const own = probabilities.sorted(label, label);
	/** Pairs that are ranked right, by the label of the other row. */
	const won = new Float64Array(support.length);
	/** Rows of other labels by the number of own rows that are not above them. */
	const others = new Uint32Array(own.length + 1);
	for (let row = 0; row < rows.length; row++) {
		const other = rows.classOf(row);
		if (other === label) continue;
		const probability = probabilities.of(row, label);
		const below = place(own, (value) => value < probability);
		const notAbove = own[below] === probability ? place(own, (value) => value <= probability) : below;
		won[other] = (won[other] as number) + own.length - (below + notAbove) / 2;
		others[notAbove] = (others[notAbove] as number) + 1;
	}
	const shares = Array.from(support, (count, other) => (other === label ? 0 : (won[other] as number) / (own.length * count)));
	const pairs = own.length * (rows.length - own.length);
	return {
		rocAuc: pairs === 0 ? null : won.reduce((a, b) => a + b, 0) / pairs,
		againstEach: shares.some(Number.isNaN) ? null : shares.reduce((a, b) => a + b, 0) / (shares.length - 1),
		averagePrecision: own.length === 0 ? null : averagePrecision(own, others),
	};
}

type RankingMetrics = Pick<ClassMetrics, 'rocAuc' | 'rocAucWeighted' | 'rocAucOvo' | 'averagePrecision'>;

/** Of all labels together. `support`: rows of each. */
export function rankingMetrics(each: readonly LabelRanking[], support: Float64Array): RankingMetrics {
	const equally = new Float64Array(support.length).fill(1);
	const second = each.length === 2 ? each[1] : undefined;
	return {
		rocAuc: second === undefined ? mean(each, 'rocAuc', equally) : second.rocAuc,
		rocAucWeighted: mean(each, 'rocAuc', support),
		rocAucOvo: mean(each, 'againstEach', equally),
		averagePrecision: second === undefined ? mean(each, 'averagePrecision', equally) : second.averagePrecision,
	};
}

function mean(each: readonly LabelRanking[], name: keyof LabelRanking, weights: Float64Array): number | null {
	let [total, whole] = [0, 0];
	for (const [label, ranking] of each.entries()) {
		const value = ranking[name];
		if (value === null) return null;
		total += value * (weights[label] as number);
		whole += weights[label] as number;
	}
	return total / whole;
}

/** `own` rises; others[k] rows lie at or above own[k - 1] and below own[k]. */
function averagePrecision(own: Float64Array, others: Uint32Array): number {
	let sum = 0;
	let wrong = 0;
	let highest = own.length;
	for (let lowest = own.length - 1; lowest >= 0; lowest--) {
		wrong += others[lowest + 1] as number;
		if (own[lowest - 1] === own[lowest]) continue;
		const found = own.length - lowest;
		sum += ((highest - lowest) / own.length) * (found / (found + wrong));
		highest = lowest;
	}
	return sum;
}

/** Number of values at the beginning of a rising list that are `inFront`. */
function place(sorted: Float64Array, inFront: (value: number) => boolean): number {
	let [low, high] = [0, sorted.length];
	while (low < high) {
		const middle = (low + high) >>> 1;
		if (inFront(sorted[middle] as number)) low = middle + 1;
		else high = middle;
	}
	return low;
}
