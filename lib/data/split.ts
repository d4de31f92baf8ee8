/** Cutting rows in two. */

export interface SplitOptions {
	/** Share of rows held back, between 0 and 1. */
	readonly test: number;
	/** Whether each label keeps its share in both parts. @default true */
	readonly stratify?: boolean;
	/** @default 42 */
	readonly seed?: number;
}

/**
 * Whether each row is held back: ceil(test * rows) of them, drawn in the order of `permutation` of [0, rows), of every label
 * in proportion where `stratify` holds. Each label keeps at least one row on the training side.
 */
export function heldBack<Label extends string | number>(
	labels: ArrayLike<Label>,
	permutation: Int32Array,
	{ test, stratify = true }: SplitOptions,
): Uint8Array {
	const held = new Uint8Array(labels.length);
	const total = Math.min(labels.length - 1, Math.ceil(test * labels.length));
	const left = stratify ? quotas(labels, total) : undefined;
	let taken = 0;
	for (const row of permutation) {
		if (taken === total) break;
		const label = labels[row] as Label;
		const quota = left?.get(label) ?? 1;
		if (quota === 0) continue;
		left?.set(label, quota - 1);
		held[row] = 1;
		taken += 1;
	}
	return held;
}

/** Rows to hold back of each label; the largest remainders are rounded up until `total` is met. */
function quotas<Label>(labels: ArrayLike<Label>, total: number): Map<Label, number> {
	const counts = new Map<Label, number>();
	for (let row = 0; row < labels.length; row++) {
		const label = labels[row] as Label;
		counts.set(label, (counts.get(label) ?? 0) + 1);
	}
	const shares = [...counts].map(([label, count]) => {
		const exact = (total * count) / labels.length;
		return { label, count, whole: Math.floor(exact), remainder: exact - Math.floor(exact) };
	});
	const result = new Map(shares.map(({ label, whole }) => [label, whole]));
	let missing = total - shares.reduce((sum, { whole }) => sum + whole, 0);
	for (const { label, count, whole } of shares.sort((a, b) => b.remainder - a.remainder)) {
		if (missing === 0) break;
		if (whole + 1 >= count) continue;
		result.set(label, whole + 1);
		missing -= 1;
	}
	return result;
}
