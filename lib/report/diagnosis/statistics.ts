/** The few statistics a diagnosis needs: means of stretches of a curve with their errors, an interval, agreement beyond chance. */
import { type CurvePoint, joined } from '../../train/curve.js';

/** Steps in a row as one point, with the standard error of its mean loss. */
export interface Stretch extends CurvePoint {
	/** The first step. */
	readonly from: number;
	readonly error: number;
}

/** Differences count from here, in standard errors. Three, because a run is tested many times. */
export const errorsThatCount = 3;

/** Of points that follow each other, at least one. */
export function stretch(points: readonly CurvePoint[]): Stretch {
	const whole = points.reduce(joined);
	return { ...whole, from: whole.step - whole.steps + 1, error: Math.sqrt(whole.lossSpread / Math.max(1, whole.steps - 1) / whole.steps) };
}

/** Whether `a` is above `b` by more than chance makes of two means. */
export const clearlyAbove = (a: Pick<Stretch, 'loss' | 'error'>, b: Pick<Stretch, 'loss' | 'error'>): boolean =>
	a.loss - b.loss > errorsThatCount * Math.hypot(a.error, b.error);

/** Every stretch of just `steps` steps or a little more, in order; none where the curve is shorter. */
export function windows(points: readonly CurvePoint[], steps: number): Stretch[] {
	const found: Stretch[] = [];
	let first = 0;
	let held = 0;
	for (const [index, point] of points.entries()) {
		held += point.steps;
		while (held - (points[first] as CurvePoint).steps >= steps) held -= (points[first++] as CurvePoint).steps;
		if (held >= steps) found.push(stretch(points.slice(first, index + 1)));
	}
	return found;
}

/** The points whose steps lie after `from` and up to `to`. */
export const between = (points: readonly CurvePoint[], from: number, to: number): CurvePoint[] =>
	points.filter(({ step, steps }) => step - steps >= from && step <= to);

/** 95% interval of a share seen in `rows` rows (Wilson 1927). */
export function wilson(share: number, rows: number): { readonly low: number; readonly high: number; readonly half: number } {
	const z = 1.959964;
	const scale = 1 + (z * z) / rows;
	const middle = (share + (z * z) / (2 * rows)) / scale;
	const half = (z * Math.sqrt((share * (1 - share)) / rows + (z * z) / (4 * rows * rows))) / scale;
	return { low: Math.max(0, middle - half), high: Math.min(1, middle + half), half };
}

/** Cohen's kappa with its standard error where there is no agreement but chance (Fleiss, Cohen and Everitt 1969); undefined where chance alone agrees on all. */
export function agreement(confusion: readonly (readonly number[])[]): { readonly kappa: number; readonly error: number } | undefined {
	const rows = confusion.map(sum);
	const columns = confusion.map((_, column) => sum(confusion.map((counts) => counts[column] as number)));
	const all = sum(rows);
	const share = (counts: readonly number[], label: number) => (counts[label] as number) / all;
	const labels = [...confusion.keys()];
	const byChance = sum(labels.map((label) => share(rows, label) * share(columns, label)));
	if (!(byChance < 1)) return undefined;
	const right = sum(labels.map((label) => (confusion[label]?.[label] as number) / all));
	const skew = sum(labels.map((label) => share(rows, label) * share(columns, label) * (share(rows, label) + share(columns, label))));
	return {
		kappa: (right - byChance) / (1 - byChance),
		error: Math.sqrt(Math.max(0, byChance + byChance * byChance - skew) / all) / (1 - byChance),
	};
}

export const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
