package parsedate

// words are the words that are no zones. There is no ordinal for 2: "second" is a unit.
var words = map[string]token{
	"am": {kind: meridian, value: 1}, "a.m.": {kind: meridian, value: 1},
	"pm": {kind: meridian, value: 2}, "p.m.": {kind: meridian, value: 2},

	"january":   {kind: month, value: 1},
	"february":  {kind: month, value: 2},
	"march":     {kind: month, value: 3},
	"april":     {kind: month, value: 4},
	"may":       {kind: month, value: 5},
	"june":      {kind: month, value: 6},
	"july":      {kind: month, value: 7},
	"august":    {kind: month, value: 8},
	"september": {kind: month, value: 9},
	"october":   {kind: month, value: 10},
	"november":  {kind: month, value: 11},
	"december":  {kind: month, value: 12},
	"sept":      {kind: month, value: 9},

	"sunday":    {kind: weekday, value: 0},
	"monday":    {kind: weekday, value: 1},
	"tuesday":   {kind: weekday, value: 2},
	"wednesday": {kind: weekday, value: 3},
	"thursday":  {kind: weekday, value: 4},
	"friday":    {kind: weekday, value: 5},
	"saturday":  {kind: weekday, value: 6},
	"tues":      {kind: weekday, value: 2}, "wednes": {kind: weekday, value: 3}, "thur": {kind: weekday, value: 4}, "thurs": {kind: weekday, value: 4},

	"year":      {kind: unit, span: span{months: 12}},
	"month":     {kind: unit, span: span{months: 1}},
	"fortnight": {kind: unit, span: span{days: 14}},
	"week":      {kind: unit, span: span{days: 7}},
	"day":       {kind: unit, span: span{days: 1}},
	"hour":      {kind: unit, span: span{seconds: 3600}},
	"minute":    {kind: unit, span: span{seconds: 60}},
	"min":       {kind: unit, span: span{seconds: 60}},
	"second":    {kind: unit, span: span{seconds: 1}},
	"sec":       {kind: unit, span: span{seconds: 1}},
	"ago":       {kind: ago, value: -1}, "hence": {kind: ago, value: 1},
	"yesterday": {kind: dayShift, value: -1}, "today": {kind: dayShift}, "now": {kind: dayShift}, "tomorrow": {kind: dayShift, value: 1},

	"last":     {kind: ordinal, value: -1},
	"this":     {kind: ordinal, value: 0},
	"next":     {kind: ordinal, value: 1},
	"first":    {kind: ordinal, value: 1},
	"third":    {kind: ordinal, value: 3},
	"fourth":   {kind: ordinal, value: 4},
	"fifth":    {kind: ordinal, value: 5},
	"sixth":    {kind: ordinal, value: 6},
	"seventh":  {kind: ordinal, value: 7},
	"eighth":   {kind: ordinal, value: 8},
	"ninth":    {kind: ordinal, value: 9},
	"tenth":    {kind: ordinal, value: 10},
	"eleventh": {kind: ordinal, value: 11},
	"twelfth":  {kind: ordinal, value: 12},

	"dst": {kind: dst},
}

// shortNames are months and days of three letters, which a full stop may follow.
var shortNames = map[string]token{
	"jan": {kind: month, value: 1}, "feb": {kind: month, value: 2}, "mar": {kind: month, value: 3}, "apr": {kind: month, value: 4}, "may": {kind: month, value: 5}, "jun": {kind: month, value: 6}, "jul": {kind: month, value: 7}, "aug": {kind: month, value: 8}, "sep": {kind: month, value: 9}, "oct": {kind: month, value: 10}, "nov": {kind: month, value: 11}, "dec": {kind: month, value: 12},
	"sun": {kind: weekday, value: 0}, "mon": {kind: weekday, value: 1}, "tue": {kind: weekday, value: 2}, "wed": {kind: weekday, value: 3}, "thu": {kind: weekday, value: 4}, "fri": {kind: weekday, value: 5}, "sat": {kind: weekday, value: 6},
}
