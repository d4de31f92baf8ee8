/** From numbers to places in a picture. */

export interface Scale {
	/** Place of a value, in pixels. */
	at(value: number): number;
	/** Round values within the domain, and how they are written. */
	readonly ticks: readonly { readonly value: number; readonly text: string }[];
}

export interface ScaleOptions {
	readonly kind: 'linear' | 'log';
	/** Ends of the values; above 0 where `kind` is 'log'. Equal ends are set apart. */
	readonly domain: readonly [number, number];
	readonly pixels: readonly [number, number];
}

export function scaleOf({ kind, domain, pixels: [from, to] }: ScaleOptions): Scale {
	const measure = kind === 'log' ? Math.log10 : (value: number) => value;
	const [low, high] = setApart(domain, kind);
	const perUnit = (to - from) / (measure(high) - measure(low));
	const ticks = kind === 'log' ? logTicks(low, high) : linearTicks(low, high);
	return { at: (value) => from + (measure(value) - measure(low)) * perUnit, ticks };
}

function setApart([low, high]: readonly [number, number], kind: ScaleOptions['kind']): [number, number] {
	if (low !== high) return [low, high];
	return kind === 'log' ? [low / 2, high * 2] : [low - 0.5, high + 0.5];
}

/** At most six, 1, 2 or 5 times a power of ten apart. */
function linearTicks(low: number, high: number): Scale['ticks'] {
	const rough = (high - low) / 5;
	const power = 10 ** Math.floor(Math.log10(rough));
	const step = power * ([1, 2, 5, 10].find((times) => times * power >= rough) as number);
	const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
	const first = Math.ceil(low / step - 1e-9);
	const last = Math.floor(high / step + 1e-9);
	return Array.from({ length: last - first + 1 }, (_, index) => {
		const value = (first + index) * step;
		return { value, text: value.toFixed(decimals) };
	});
}

/** Powers of ten; where there are fewer than three, twice and five times them too. */
function logTicks(low: number, high: number): Scale['ticks'] {
	const powers = Array.from(
		{ length: Math.floor(Math.log10(high)) - Math.floor(Math.log10(low)) + 1 },
		(_, index) => Math.floor(Math.log10(low)) + index,
	);
	const within = (factors: readonly number[]) =>
		powers
			.flatMap((power) => factors.map((factor) => Number(`${factor}e${power}`)))
			.filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9));
	const tens = within([1]);
	return (tens.length < 3 ? within([1, 2, 5]) : tens).map((value) => ({
		value,
		text: value >= 1e-3 && value < 1e4 ? String(value) : value.toExponential(),
	}));
}
