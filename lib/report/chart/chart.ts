/** Lines and dots between two axes. */
import { type Scale, type ScaleOptions, scaleOf } from './scale.js';
import { element, escaped } from './svg.js';

type Place = readonly [x: number, y: number];

/** In the units of the axes; what lies outside is not drawn. */
export type Mark =
	| { readonly type: 'line'; readonly points: readonly Place[]; readonly colour: string; readonly width?: number; readonly dashes?: string }
	| { readonly type: 'dot'; readonly at: Place; readonly colour: string; readonly radius?: number }
	/** An x of two strokes: where something came to its end. */
	| { readonly type: 'cross'; readonly at: Place; readonly colour: string }
	/** From one side of the chart to the other at this x. */
	| { readonly type: 'rule'; readonly x: number; readonly colour: string; readonly dashes?: string; readonly text?: string }
	| { readonly type: 'text'; readonly at: Place; readonly text: string; readonly colour?: string; readonly anchor?: 'start' | 'middle' | 'end' };

interface Tick {
	readonly value: number;
	readonly text: string;
	readonly colour?: string;
}

export interface Axis extends Pick<ScaleOptions, 'kind' | 'domain'> {
	readonly label: string;
	/** Instead of round numbers. */
	readonly ticks?: readonly Tick[];
}

export interface Chart {
	readonly title: string;
	/** Of the square between the axes, in pixels; words stand outside of it. */
	readonly frame: { readonly left: number; readonly top: number; readonly width: number; readonly height: number };
	readonly x: Axis;
	readonly y: Axis;
	readonly marks: readonly Mark[];
}

const grid = '#e4e4e4';
const faint = '#666';

export function chart({ title, frame, x, y, marks }: Chart): string {
	const { left, top, width, height } = frame;
	const [right, bottom] = [left + width, top + height];
	const across = scaleOf({ ...x, pixels: [left, right] });
	const up = scaleOf({ ...y, pixels: [bottom, top] });
	const xTicks = (x.ticks ?? across.ticks).map(({ value, text }) => {
		const at = across.at(value);
		return (
			element('line', { x1: at, x2: at, y1: top, y2: bottom, stroke: grid }) +
			element('text', { x: at, y: bottom + 16, 'text-anchor': 'middle', fill: faint }, escaped(text))
		);
	});
	const yTicks = (y.ticks ?? up.ticks).map(({ value, text, colour = faint }: Tick) => {
		const at = up.at(value);
		return (
			element('line', { x1: left, x2: right, y1: at, y2: at, stroke: grid }) +
			element('text', { x: left - 6, y: at + 4, 'text-anchor': 'end', fill: colour }, escaped(text))
		);
	});
	return [
		element('text', { x: left, y: top - 26, 'font-weight': 600 }, escaped(title)),
		...xTicks,
		...yTicks,
		element('text', { x: left + width / 2, y: bottom + 34, 'text-anchor': 'middle', fill: faint }, escaped(x.label)),
		element('text', { x: left, y: top - 8, fill: faint }, escaped(y.label)),
		...marks.map((mark) => drawn(mark, across, up, frame)),
	].join('\n');
}

function drawn(mark: Mark, across: Scale, up: Scale, { left, top, width, height }: Chart['frame']): string {
	const place = ([x, y]: Place): Place => [across.at(x), up.at(y)];
	const inside = ([x, y]: Place) => x >= left - 1 && x <= left + width + 1 && y >= top - 1 && y <= top + height + 1;
	const { colour } = mark;
	switch (mark.type) {
		case 'line': {
			const points = mark.points.map(place).filter(inside);
			const path = points.map((point) => point.map((pixel) => Number(pixel.toFixed(1))).join(',')).join(' ');
			return element('polyline', { points: path, fill: 'none', stroke: colour, 'stroke-width': mark.width ?? 1.5, 'stroke-dasharray': mark.dashes });
		}
		case 'dot': {
			const at = place(mark.at);
			return inside(at) ? element('circle', { cx: at[0], cy: at[1], r: mark.radius ?? 3.5, fill: colour }) : '';
		}
		case 'cross': {
			const at = place(mark.at);
			const [x, y] = at;
			return inside(at) ? element('path', { d: `M${x - 4},${y - 4}l8,8m0,-8l-8,8`, stroke: colour, 'stroke-width': 1.5, fill: 'none' }) : '';
		}
		case 'rule': {
			const x = across.at(mark.x);
			const line = element('line', { x1: x, x2: x, y1: top, y2: top + height, stroke: colour, 'stroke-dasharray': mark.dashes });
			return mark.text === undefined ? line : line + element('text', { x, y: top - 8, 'text-anchor': 'middle', fill: colour }, escaped(mark.text));
		}
		case 'text': {
			const [x, y] = place(mark.at);
			return element('text', { x, y: y + 4, 'text-anchor': mark.anchor ?? 'start', fill: colour ?? faint }, escaped(mark.text));
		}
	}
}
